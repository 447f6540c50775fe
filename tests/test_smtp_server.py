"""What the tests of sending rely on in their next hop."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.smtp_server import ScriptedSMTP, defer, drop, hold, refuse


class Client:
    """Lines over a socket, to say what no careful client says."""

    def __init__(self, server: ScriptedSMTP) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port))
        self.file = self.sock.makefile("rb")
        assert self.reply().startswith("220")

    def reply(self) -> str:
        while (line := self.file.readline().decode("latin-1"))[3:4] == "-":
            pass
        return line.rstrip("\r\n")

    def say(self, *lines: str, end: str = "\r\n") -> str:
        self.sock.sendall("".join(line + end for line in lines).encode())
        return self.reply()

    def deliver(self, recipient: str) -> list[str]:
        lines = ["MAIL FROM:<a@x.example>", f"RCPT TO:<{recipient}>", "DATA", "Hi\r\n."]
        return [self.say(line) for line in lines]

    def deliver_many(self, recipient: str, count: int) -> None:
        for _ in range(count):
            self.deliver(recipient)

    def close(self) -> None:
        self.file.close()
        self.sock.close()


def test_acts_are_used_up_in_their_order() -> None:
    with ScriptedSMTP() as server:
        server.script(defer("450 first"), defer("451 second"), recipient="ann@x.example")
        server.script(refuse("550 never"), recipient="bob@x.example", times=None)
        client = Client(server)
        client.say("EHLO me")
        client.say("MAIL FROM:<>")

        replies = [
            client.say(f"RCPT TO:<{name}@x.example>")[:3]
            for name in ("ann", "bob", "ann", "bob", "ann", "bob")
        ]
        client.close()

    assert replies == ["450", "550", "451", "550", "250", "550"]


def test_a_function_may_decide() -> None:
    with ScriptedSMTP(
        decide=lambda phase, recipient: (
            refuse("550 odd") if phase == "rcpt" and "1" in recipient else None
        )
    ) as server:
        client = Client(server)

        replies = [client.deliver(f"a{number}@x.example")[1][:3] for number in (0, 1)]
        client.close()

    assert replies == ["250", "550"]


def test_a_message_cut_after_the_dot_is_on_record_as_such() -> None:
    with ScriptedSMTP() as server:
        server.script(drop("dot"), recipient="ann@x.example")
        client = Client(server)

        assert client.deliver("ann@x.example")[-1] == ""
        (message,) = server.wait_for(1)
        client.close()

    assert (message.answered, message.data) == (False, b"Hi\r\n")


def test_a_held_reply_comes_when_the_test_says_so() -> None:
    with ScriptedSMTP() as server, ThreadPoolExecutor() as pool:
        event = threading.Event()
        server.script(hold("dot", event))
        client = Client(server)

        replies = pool.submit(client.deliver, "ann@x.example")
        server.wait_for(1)
        assert not replies.done()
        event.set()

        assert replies.result()[-1].startswith("250")
        client.close()


def test_closing_ends_threads_that_hold_and_threads_that_read() -> None:
    with ScriptedSMTP() as server:
        server.script(hold("ehlo", threading.Event()))
        clients = [Client(server) for _ in range(3)]
        clients[0].sock.sendall(b"EHLO me\r\n")
        server.wait_for_command("EHLO")

    assert not [thread for thread in threading.enumerate() if str(server.port) in thread.name]
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("extensions", "lines"),
    [
        ({"PIPELINING"}, ["MAIL FROM:<a@x.example>", "MAIL FROM:<a@x.example>"]),
        (set(), ["MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>"]),
        (set(), ["MAIL FROM:<é@x.example>"]),
        (set(), ["Subject: content without a 354"]),
        (set(), ["MAIL FROM:<>", "RCPT TO:<b@x.example>", "DATA", "é\r\n."]),
        (set(), ["MAIL FROM:<>", "RCPT TO:<b@x.example>", "DATA", "a\nb\r\n."]),
    ],
)
def test_what_no_careful_client_does_is_noted(extensions: set[str], lines: list[str]) -> None:
    with ScriptedSMTP(extensions=extensions) as server:
        client = Client(server)

        replies = [client.say(line) for line in lines]
        client.close()

    assert replies[-1].startswith("503")
    assert len(server.violations) == 1


def test_pipelined_commands_are_answered_where_that_was_offered() -> None:
    with ScriptedSMTP() as server:
        client = Client(server)
        client.sock.sendall(b"MAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")

        replies = [client.reply()[:3] for _ in range(3)]
        client.sock.sendall(b"Hi\r\n.\r\nMAIL FROM:<>\r\n")
        replies += [client.reply()[:3] for _ in range(2)]
        client.close()

    assert replies == ["250", "250", "354", "250", "250"]
    assert server.violations == []


@pytest.mark.parametrize("replies", ["one by one", "byte by byte", "together"])
def test_replies_may_come_in_pieces_or_together(replies: str) -> None:
    with ScriptedSMTP(replies=replies) as server:
        server.script(defer("450-4.2.0 Not\r\n450 4.2.0 now"))
        client = Client(server)
        client.sock.sendall(b"MAIL FROM:<>\r\nRCPT TO:<a@x.example>\r\nRCPT TO:<b@x.example>\r\n")

        answered = [client.reply()[:3] for _ in range(3)]
        client.close()

    assert answered == ["250", "450", "250"]


def test_a_lenient_server_wants_the_message_of_a_refused_envelope() -> None:
    with ScriptedSMTP(is_lenient=True) as server:
        server.script(refuse())
        client = Client(server)

        replies = [
            client.say(line)[:3] for line in ("MAIL FROM:<>", "RCPT TO:<a@x.example>", "DATA", ".")
        ]
        client.close()

    assert replies == ["250", "550", "354", "554"]
    assert (server.messages, server.violations) == ([], [])


def test_messages_from_many_connections_are_all_on_record() -> None:
    with ScriptedSMTP() as server, ThreadPoolExecutor(8) as pool:
        clients = [Client(server) for _ in range(8)]

        for client in clients:
            pool.submit(client.deliver_many, "a@x.example", 100)
        messages = server.wait_for(800)
        for client in clients:
            client.close()

    assert sorted({message.connection for message in messages}) == list(range(1, 9))
