import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from campaigns.preflight import spam

# As spamd 4.0.1 writes it, of a message that begins with prices.
PRICES = (
    b"SPAMD/1.1 0 EX_OK\r\nContent-length: 830\r\nSpam: True ; 1000.0 / 5.0\r\n\r\n"
    b'Spam detection software, running on the system "vm",\n\n'
    b"Content preview:  Prices\n 1.5 TEA\n 24 HOURS\n\n"
    b"Content analysis details:   (1000.0 points, 5.0 required)\n\n"
    b" pts rule name              description\n"
    b"---- ---------------------- --------------------------------------------------\n"
    b"-0.0 NO_RECEIVED            Informational: message has no Received headers\n"
    b" 1.0 CTE_8BIT_MISMATCH      Header says 7bits but body disagrees, such as\n"
    b"                            7.5 BIT or more\n"
    b"1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email\n\n\n"
)
REPORT = (
    b"SPAMD/1.1 0 EX_OK\r\nContent-length: 300\r\nSpam: %b ; %b / 5.0\r\n\r\n"
    b"Content analysis details:   (%b points, 5.0 required)\r\n\r\n"
    b" pts rule name              description\r\n"
    b"---- ---------------------- ------------------\r\n"
    b"-0.0 NO_RELAYS              Informational\r\n"
    b" 0.6 HTML_IMAGE_RATIO_02    BODY: HTML has a low ratio of text\r\n"
    b" 5.5 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email\r\n"
)
MESSAGE = b"Subject: News\r\n\r\nHello\r\n"


@contextmanager
def spamd(answer: bytes, listening: socket.socket) -> Iterator[list[bytes]]:
    """Answer one client, once it has said all it has to say."""
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            said = b""
            while piece := connection.recv(65_536):
                said += piece
            heard.append(said)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    with listening:
        thread.start()
        yield heard
        thread.join()


def at(listening: socket.socket) -> str:
    return f"127.0.0.1:{listening.getsockname()[1]}"


def listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_the_score_and_the_rules_are_told() -> None:
    listening = listen()
    with spamd(REPORT % (b"False", b"0.6", b"0.6"), listening) as heard:
        [finding] = spam.check(MESSAGE, at=at(listening))

    assert heard == [b"REPORT SPAMC/1.5\r\nContent-length: 24\r\n\r\n" + MESSAGE]
    assert (finding.severity, finding.name) == ("advice", "spam-score")
    assert finding.message == (
        "SpamAssassin gives it 0.6 points; 5 are spam. GTUBE 5.5, HTML_IMAGE_RATIO_02 0.6"
    )


def test_rules_of_many_points_are_told_and_words_of_the_message_are_none() -> None:
    listening = listen()
    with spamd(PRICES, listening):
        score = spam.ask(MESSAGE, at=at(listening))

    assert score.rules == (("GTUBE", 1000.0), ("CTE_8BIT_MISMATCH", 1.0), ("NO_RECEIVED", -0.0))


def test_no_points_are_said_without_a_sign() -> None:
    listening = listen()
    with spamd(REPORT % (b"False", b"-0.0", b"-0.0"), listening):
        [finding] = spam.check(MESSAGE, at=at(listening))

    assert finding.message.startswith("SpamAssassin gives it 0 points")


def test_what_counts_as_spam_is_a_warning() -> None:
    listening = listen()
    with spamd(REPORT % (b"True", b"6.1", b"6.1"), listening):
        [finding] = spam.check(MESSAGE, at=at(listening))

    assert finding.severity == "warning"


def test_a_daemon_on_a_socket_of_the_machine_is_asked(tmp_path: Path) -> None:
    path = str(tmp_path / "spamd")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    with spamd(REPORT % (b"False", b"-1.0", b"-1.0"), listening):
        assert spam.ask(MESSAGE, at=path).points == -1.0


@pytest.mark.parametrize("answer", [b"", b"SPAMD/1.1 76 Bad header line\r\n\r\n", b"HTTP/1.1 400"])
def test_another_answer_is_told_as_none(answer: bytes) -> None:
    listening = listen()
    with spamd(answer, listening):
        [finding] = spam.check(MESSAGE, at=at(listening))

    assert (finding.severity, finding.name) == ("advice", "spam-unasked")


def test_a_daemon_that_does_not_run_is_no_reason_to_wait(tmp_path: Path) -> None:
    [finding] = spam.check(MESSAGE, at=str(tmp_path / "nobody"))

    assert finding.name == "spam-unasked"
