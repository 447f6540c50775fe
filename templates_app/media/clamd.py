"""Ask clamd, ClamAV's daemon, about a file (clamd(8), INSTREAM)."""

import socket
import struct
from contextlib import suppress
from typing import IO

from templates_app.daemons import connect

TIMEOUT = 30.0  # seconds, for each step: connecting, writing a piece, the answer
_PIECE = 65_536
_LONGEST_ANSWER = 4_096
_FOUND, _OK = " FOUND", "stream: OK"


class NoAnswer(Exception):
    """The scanner is not there, or says nothing; the text says what happened."""


class NoVerdict(Exception):
    """The scanner answers, and cannot judge this file; the text says what it said."""


def scan(address: str, file: IO[bytes], *, timeout: float = TIMEOUT) -> str:
    """Return the name of the malware in the file, or an empty text where there is none.

    :param address: `host:port`, or the path of a socket.
    :raises NoAnswer:
    :raises NoVerdict:
    """
    file.seek(0)
    try:
        with connect(address, timeout=timeout) as sock:
            # It answers, and closes, where a file is larger than it takes.
            with suppress(BrokenPipeError, ConnectionResetError):
                _write(sock, file)
            answer = _answer(sock)
    except OSError as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from None
    if answer.endswith(_FOUND):
        return answer.removeprefix("stream: ").removesuffix(_FOUND)
    if not answer:
        raise NoAnswer("it closed the connection")
    if answer != _OK:
        raise NoVerdict(answer)
    return ""


def _write(sock: socket.socket, file: IO[bytes]) -> None:
    sock.sendall(b"zINSTREAM\0")
    while piece := file.read(_PIECE):
        sock.sendall(struct.pack(">I", len(piece)) + piece)
    sock.sendall(struct.pack(">I", 0))


def _answer(sock: socket.socket) -> str:
    answer = b""
    while b"\0" not in answer and len(answer) < _LONGEST_ANSWER:
        received = sock.recv(_LONGEST_ANSWER)
        if not received:
            break
        answer += received
    return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()
