"""A clamd on loopback that finds EICAR, or answers as it is told to."""

import socket
import struct
import threading
from typing import Self

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ScriptedClamd:
    """Speaks INSTREAM of clamd(8); `answer` is said in place of what it found; None: nothing is."""

    def __init__(self, *, path: str = "") -> None:
        self.answer: str | None = ""
        self.scanned: list[bytes] = []
        self.is_silent = False
        self.most = 1_000_000_000  # bytes, its StreamMaxLength
        self._held: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self._listening.bind(path or ("127.0.0.1", 0))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        name = self._listening.getsockname()
        return name if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for sock in self._held:
            sock.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            with sock, sock.makefile("rb") as stream:
                assert stream.read(10) == b"zINSTREAM\0"
                data = b""
                while size := struct.unpack(">I", stream.read(4))[0]:
                    data += stream.read(size)
                self.scanned.append(data)
                if self.is_silent:
                    self._held.append(sock.dup())
                    continue
                if len(data) > self.most:
                    sock.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                    continue
                found = "Win.Test.EICAR_HDB-1 FOUND" if EICAR in data else "OK"
                if self.answer is not None:
                    sock.sendall((self.answer or f"stream: {found}").encode() + b"\0")
