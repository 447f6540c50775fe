"""The last messages, in memory."""

import threading
from collections import OrderedDict
from datetime import datetime

from config.catcher.caught import Caught

MAX_BYTES = 256 * 1024 * 1024  # of all messages together, however many may be kept


class Store:
    """Keeps the newest messages, `keep` of them and 256 MB at most; for many threads."""

    def __init__(self, keep: int, max_bytes: int = MAX_BYTES) -> None:
        self.keep = keep
        self.max_bytes = max_bytes
        self._messages: OrderedDict[int, Caught] = OrderedDict()
        self._bytes = 0
        self._last_id = 0
        self._lock = threading.Lock()

    def add(
        self, *, at: datetime, envelope_sender: str, recipients: tuple[str, ...], data: bytes
    ) -> None:
        with self._lock:
            self._last_id += 1
            caught = Caught(self._last_id, at, envelope_sender, recipients, data)
            self._messages[caught.id] = caught
            self._bytes += len(data)
            while len(self._messages) > self.keep or self._bytes > self.max_bytes:
                _, oldest = self._messages.popitem(last=False)
                self._bytes -= len(oldest.data)

    def get(self, message_id: int) -> Caught | None:
        with self._lock:
            return self._messages.get(message_id)

    def count(self) -> int:
        with self._lock:
            return len(self._messages)

    def search(self, query: str) -> list[Caught]:
        """Return the messages that match, newest first; all for an empty query."""
        with self._lock:
            newest_first = list(reversed(self._messages.values()))
        return [caught for caught in newest_first if not query or caught.matches(query)]

    def neighbours(self, message_id: int) -> tuple[int | None, int | None]:
        """Return the ids of the next newer and the next older message."""
        with self._lock:
            newer = min((key for key in self._messages if key > message_id), default=None)
            older = max((key for key in self._messages if key < message_id), default=None)
        return newer, older

    def clear(self) -> None:
        with self._lock:
            self._messages.clear()
            self._bytes = 0
