"""How long tasks take, as Celery's own events tell it: TaskResult rows say only when they ended."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from config.benchmark.installation import PATIENCE_SECONDS
from config.celery import app

TASK = "campaigns.deliver_chunk"


class TaskTimes:
    """The tasks that deliver: how many there were, and how many seconds each one ran."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._received: set[str] = set()
        self._ended: set[str] = set()

    def __len__(self) -> int:
        return len(self._received)

    def wait_for_all(self) -> None:
        """Wait for the end of all that were received: events come a moment later than what is so.

        :raises TimeoutError: that of some never comes
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._received or self._received - self._ended:
            if time.monotonic() > deadline:
                ended, received = len(self._ended), len(self._received)
                raise TimeoutError(f"Celery told the end of {ended} tasks of {received}")
            time.sleep(0.1)

    def note(self, event: dict[str, Any]) -> None:
        """Take an event; all kinds of tasks may come."""
        if event["type"] == "task-received" and event["name"] == TASK:
            self._received.add(event["uuid"])
        if event["type"] in {"task-succeeded", "task-failed"} and event["uuid"] in self._received:
            self._ended.add(event["uuid"])
            if "runtime" in event:
                self.seconds.append(event["runtime"])


@contextmanager
def watched() -> Iterator[TaskTimes]:
    """Note what the workers that send events (`-E`) do meanwhile."""
    times = TaskTimes()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": times.note})
        thread = threading.Thread(target=receiver.capture, daemon=True)
        thread.start()
        try:
            yield times
        finally:
            receiver.should_stop = True
            thread.join(PATIENCE_SECONDS)
