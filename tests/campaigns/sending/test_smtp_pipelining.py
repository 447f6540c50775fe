"""Many messages: pipelined, over several connections, whatever the next hop may do."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.sending import smtp
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected, Scope
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay, Session, StartTLS
from campaigns.sending.smtp import SMTPTransport
from tests.certificates import TLSPair, make_tls_pair
from tests.smtp_server import (
    EXTENSIONS,
    Act,
    ScriptedSMTP,
    closing,
    defer,
    drop,
    garbage,
    hold,
    refuse,
)

PLAIN = EXTENSIONS - {"PIPELINING"}
BODY = b"Subject: Hello\r\n\r\nGood morning.\r\n"
DOTS = b".\r\n..\r\n.a\r\n\r\n.\r\n" * 20
LONG = DOTS + (b"." * 70 + b"\r\n") * 6_000


@dataclass
class Given:
    """A source of messages to a0@…, a1@…, that notes what it is told, and checks its order."""

    data: list[bytes]
    first: int = 0
    begun: list[int] = field(default_factory=list)
    answers: dict[int, Outcome] = field(default_factory=dict)
    may_begin: Callable[[int], bool] = lambda key: True
    pulled: int = 0

    def next(self) -> tuple[int, Outgoing] | None:
        if self.pulled == len(self.data):
            return None
        key = self.first + self.pulled
        self.pulled += 1
        return key, Outgoing("b-1@bounce.example", address(key), self.data[key - self.first])

    def begin(self, key: int) -> bool:
        assert key not in self.begun
        assert key not in self.answers
        if not self.may_begin(key):
            return False
        self.begun.append(key)
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        assert key not in self.answers
        self.answers[key] = outcome

    def having(self, kind: type[Outcome]) -> set[str]:
        return {address(key) for key, found in self.answers.items() if isinstance(found, kind)}


def given_messages(count: int, data: bytes = BODY) -> Given:
    return Given([data] * count)


def address(key: int) -> str:
    return f"a{key}@example.org"


def make_transport(
    server: ScriptedSMTP, tls: TLSPair | None = None, **kwargs: Any
) -> SMTPTransport:
    relay = Relay(host="127.0.0.1", port=server.port, local_hostname="client.test", **kwargs)
    return SMTPTransport(relay, tls.client if tls else None)


def assert_nothing_is_lost_or_twice(
    server: ScriptedSMTP, source: Given, stopped: Deferred | None
) -> None:
    taken = [message.recipient for message in server.messages]
    assert len(taken) == len(set(taken))
    accepted, in_doubt = source.having(Accepted), source.having(InDoubt)
    assert accepted <= set(taken) <= accepted | in_doubt
    assert set(source.begun) <= source.answers.keys()
    assert stopped or len(source.answers) == len(source.data)
    assert stopped is None or stopped.scope is Scope.TRANSPORT
    assert server.violations == []


@pytest.fixture
def server() -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP() as server:
        yield server
    assert server.violations == []


@pytest.fixture
def transport(server: ScriptedSMTP) -> Iterator[SMTPTransport]:
    transport = make_transport(server)
    yield transport
    transport.close()


@pytest.fixture
def impatience() -> Iterator[None]:
    """Have all connections opened that are allowed, also where replies come at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smtp, "PATIENCE", 1e-6)
        patch.setattr(smtp, "NEXT_HOP_WORKS", 0.0)
        yield


@pytest.fixture
def tls(tmp_path: Path) -> TLSPair:
    return make_tls_pair(tmp_path)


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


# --- all goes well ----------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN])
@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("replies", ["one by one", "byte by byte", "together"])
@pytest.mark.usefixtures("impatience")
def test_all_messages_arrive_once_as_they_are(
    extensions: frozenset[str], connections: int, replies: str
) -> None:
    source = Given([BODY, DOTS, b"no end", LONG] * 10)
    with ScriptedSMTP(extensions=extensions, replies=replies) as server:
        transport = make_transport(server)

        stopped = transport.send_many(source, connections=connections)
        transport.close()

    assert stopped is None
    assert source.having(Accepted) == {address(key) for key in range(40)}
    assert_nothing_is_lost_or_twice(server, source, stopped)
    arrived = {message.recipient: message.data for message in server.messages}
    assert arrived == {
        address(key): data.removesuffix(b"\r\n") + b"\r\n" for key, data in enumerate(source.data)
    }


@pytest.mark.parametrize("implicit_tls", [True, False])
@pytest.mark.parametrize("replies", ["one by one", "byte by byte", "together"])
@pytest.mark.usefixtures("impatience")
def test_all_messages_arrive_over_tls(tls: TLSPair, implicit_tls: bool, replies: str) -> None:
    source = Given([BODY, DOTS, LONG] * 7)
    with ScriptedSMTP(tls=tls.server, implicit_tls=implicit_tls, replies=replies) as server:
        transport = make_transport(
            server, tls, implicit_tls=implicit_tls, starttls=StartTLS.REQUIRED
        )

        stopped = transport.send_many(source, connections=3)
        transport.close()

    assert source.having(Accepted) == {address(key) for key in range(21)}
    assert_nothing_is_lost_or_twice(server, source, stopped)
    assert {message.data for message in server.messages} == {BODY, DOTS, LONG}


@pytest.mark.parametrize("starttls", [StartTLS.REQUIRED, StartTLS.NEVER])
def test_a_message_larger_than_all_buffers_arrives(tls: TLSPair, starttls: StartTLS) -> None:
    source = Given([b"z" * 70 + b"\r\n" + (b"." * 70 + b"\r\n") * 170_000, BODY])
    with ScriptedSMTP(tls=tls.server) as server:
        transport = make_transport(server, tls, starttls=starttls, timeout=10, dot_timeout=30)

        stopped = transport.send_many(source, connections=1)
        transport.close()

    assert source.having(Accepted) == {address(0), address(1)}
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_a_message_begins_only_after_its_data_was_answered(
    server: ScriptedSMTP, transport: SMTPTransport, aside: ThreadPoolExecutor
) -> None:
    event = threading.Event()
    server.script(hold("data", event))
    source = given_messages(1)

    sending = aside.submit(transport.send_many, source, connections=1)
    server.wait_for_command("DATA")
    assert source.begun == []
    event.set()

    assert sending.result() is None
    assert source.begun == [0]


def test_a_message_that_this_next_hop_cannot_take_holds_up_no_other() -> None:
    source = Given([BODY, b"x" * 1_000 + b"\r\n", BODY, b"bare\nend\r\n", BODY])
    with ScriptedSMTP(size=500) as server:
        transport = make_transport(server)

        stopped = transport.send_many(source, connections=2)
        transport.close()

    assert source.having(Rejected) == {address(1), address(3)}
    assert source.having(Accepted) == {address(0), address(2), address(4)}
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_no_connection_has_more_than_its_share(server: ScriptedSMTP) -> None:
    transport = make_transport(server, messages_per_connection=3)
    source = given_messages(10)

    stopped = transport.send_many(source, connections=1)
    transport.close()

    assert_nothing_is_lost_or_twice(server, source, stopped)
    assert [message.connection for message in server.messages] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    assert server.lines.count("QUIT") == 4


# --- one message in trouble -------------------------------------------------------------------

TROUBLES: dict[str, Callable[[str], Act]] = {
    "4yz": lambda phase: defer("451 4.2.0 Not now", phase),
    "5yz": lambda phase: refuse("554 5.1.1 Never", phase),
    "drop": drop,
    "garbage": garbage,
    "421": closing,
    "out of turn": lambda phase: Act(phase, "250 OK" if phase == "data" else "354 Go ahead"),
    "silence": lambda phase: hold(phase, threading.Event()),
}
EXPECTED: dict[str, type[Outcome]] = {"4yz": Deferred, "5yz": Rejected, "421": Deferred}


@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["pipelined", "plain"])
@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.usefixtures("impatience")
def test_trouble_loses_nothing_and_repeats_nothing(
    extensions: frozenset[str], phase: str, trouble: str
) -> None:
    source = given_messages(8)
    with ScriptedSMTP(extensions=extensions) as server:
        if phase in {"rcpt", "data", "dot"}:
            server.script(TROUBLES[trouble](phase), recipient=address(2))
        else:
            server.script(TROUBLES[trouble](phase))
        patience = 0.2 if trouble == "silence" else 30.0
        transport = make_transport(server, timeout=patience, dot_timeout=patience)

        stopped = transport.send_many(source, connections=3)
        transport.close()

    assert_nothing_is_lost_or_twice(server, source, stopped)
    if trouble == "silence":
        assert stopped or phase == "dot"
    elif phase == "dot":
        assert isinstance(source.answers[2], EXPECTED.get(trouble, InDoubt))
    elif phase in {"rcpt", "data"} and trouble in {"4yz", "5yz"}:
        assert isinstance(source.answers[2], EXPECTED[trouble])
        assert len(source.having(Accepted)) == 7
    elif phase in {"rcpt", "data"}:
        assert stopped
        assert 2 not in source.answers


@pytest.mark.parametrize("phase", ["rcpt", "data", "dot"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, PLAIN], ids=["pipelined", "plain"])
def test_what_follows_a_refused_message_goes_out_on_the_same_connection(
    extensions: frozenset[str], phase: str
) -> None:
    source = given_messages(6)
    with ScriptedSMTP(extensions=extensions) as server:
        for key in (1, 2, 4):
            server.script(refuse(phase=phase), recipient=address(key))
        transport = make_transport(server)

        stopped = transport.send_many(source, connections=1)
        transport.close()

    assert_nothing_is_lost_or_twice(server, source, stopped)
    assert source.having(Rejected) == {address(key) for key in (1, 2, 4)}
    assert server.connections == 1


def test_a_message_in_doubt_does_not_take_the_next_one_with_it(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(drop("dot"), recipient=address(1))
    source = given_messages(4)

    stopped = transport.send_many(source, connections=1)

    assert source.having(InDoubt) == {address(1)}
    assert source.having(Accepted) == {address(0), address(2), address(3)}
    assert_nothing_is_lost_or_twice(server, source, stopped)


class CutBehindTheDot:
    """A socket that writes no more once the first end of a message is written."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def send(self, data: bytes) -> int:
        if self._is_cut:
            raise ConnectionResetError
        content, dot, behind = data.partition(b"\r\n.\r\n")
        self._is_cut = bool(behind)
        return self._sock.send(content + dot)


def test_a_connection_lost_between_the_dot_and_the_next_envelope_leaves_doubt(
    server: ScriptedSMTP, transport: SMTPTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires: dict[Session, CutBehindTheDot] = {}
    wire = property(lambda session: wires.setdefault(session, CutBehindTheDot(session.sock)))
    monkeypatch.setattr(Session, "wire", wire)
    source = given_messages(2)

    stopped = transport.send_many(source, connections=1)

    assert source.having(InDoubt) == {address(0)}
    assert source.having(Accepted) == {address(1)}
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_421_to_a_dot_is_that_message_s_outcome_and_ends_the_call(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(closing("dot"), recipient=address(2))
    source = given_messages(5)

    stopped = transport.send_many(source, connections=1)

    assert source.answers[2] == stopped
    assert source.begun == [0, 1, 2]
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_after_a_limit_of_the_relay_no_other_message_is_pulled(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(defer("454 4.3.2 Sending rate exceeded", "dot"), recipient=address(2))
    source = given_messages(9)

    stopped = transport.send_many(source, connections=1)

    assert source.answers[2] == stopped
    assert source.pulled == 4  # the envelope of the fourth was on its way
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_a_rate_limit_at_mail_ends_the_call_without_an_answer(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(defer("451 4.7.28 Too fast", "mail"))
    source = given_messages(3)

    stopped = transport.send_many(source, connections=1)

    assert stopped
    assert stopped.reply_code == 451
    assert (source.begun, source.answers) == ([], {})


def test_where_the_way_out_ends_other_connections_finish_what_they_began(
    server: ScriptedSMTP, aside: ThreadPoolExecutor
) -> None:
    transport = make_transport(server)
    slow, limit = threading.Event(), threading.Event()
    server.script(hold("dot", slow), recipient=address(0))
    server.script(Act("dot", "421 4.7.0 Enough", close=True, hold=limit), recipient=address(2))
    source = given_messages(10)

    sending = aside.submit(transport.send_many, source, connections=2)
    server.wait_for_connections(2)
    limit.set()
    assert not sending.done()
    slow.set()
    stopped = sending.result()
    transport.close()

    assert stopped
    assert isinstance(source.answers[0], Accepted)
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_an_envelope_that_was_refused_is_ended_by_an_empty_message() -> None:
    source = given_messages(3)
    with ScriptedSMTP(is_lenient=True) as server:
        server.script(refuse(), recipient=address(1))
        transport = make_transport(server)

        stopped = transport.send_many(source, connections=1)
        transport.close()

    assert source.having(Rejected) == {address(1)}
    assert source.having(Accepted) == {address(0), address(2)}
    assert_nothing_is_lost_or_twice(server, source, stopped)
    assert server.connections == 1


def test_no_recipient_gets_an_empty_message_where_the_sender_was_refused() -> None:
    source = given_messages(3)
    with ScriptedSMTP(is_lenient=True) as server:
        server.script(refuse("550 5.7.1 No", "mail"))
        transport = make_transport(server)

        stopped = transport.send_many(source, connections=1)
        transport.close()

    assert source.having(Rejected) == {address(0)}
    assert source.having(Accepted) == {address(1), address(2)}
    assert_nothing_is_lost_or_twice(server, source, stopped)


# --- a next hop that says what no next hop says -------------------------------------------------


@contextmanager
def speaking(dialogue: Callable[[socket.socket], None]) -> Iterator[SMTPTransport]:
    """Have a transport to a server that greets, offers PIPELINING and then holds this dialogue."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"220 x\r\n")
            read_until(sock, b"\r\n")
            sock.sendall(b"250-x\r\n250 PIPELINING\r\n")
            dialogue(sock)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served: Future[None] = pool.submit(serve)
        relay = Relay(host="127.0.0.1", port=listener.getsockname()[1], local_hostname="x.test")
        transport = SMTPTransport(relay)
        yield transport
        transport.close()
        served.result()


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = sock.recv(65_536)
        assert more, data
        data += more
    return data


def test_the_end_of_a_message_and_the_next_envelope_are_not_written_apart() -> None:
    read: list[bytes] = []

    def answer_late(sock: socket.socket) -> None:
        for replies in (b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 ok\r\n" * 3 + b"354 go\r\n"):
            read.append(read_until(sock, b"DATA\r\n"))
            sock.sendall(replies)
        read.append(read_until(sock, b"\r\n.\r\n"))
        sock.sendall(b"250 ok\r\n")
        read_until(sock, b"QUIT\r\n")

    with speaking(answer_late) as transport:
        source = given_messages(2)
        assert transport.send_many(source, connections=1) is None

    assert source.having(Accepted) == {address(0), address(1)}
    assert read[1].startswith(BODY + b".\r\nMAIL FROM:<b-1@bounce.example>")


@pytest.mark.parametrize("early", [b"2", b"250 taken", b"250 taken\r\n", b"250-taken\r\n"])
def test_what_came_with_354_is_not_taken_for_the_answer_to_the_content(early: bytes) -> None:
    def speak_early(sock: socket.socket) -> None:
        read_until(sock, b"DATA\r\n")
        sock.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n" + early)
        assert sock.recv(1) == b""

    with speaking(speak_early) as transport:
        source = given_messages(1)
        stopped = transport.send_many(source, connections=1)

    assert stopped
    assert (source.begun, source.answers) == ([], {})


class Telling(Given):
    is_answered: threading.Event

    def answer(self, key: int, outcome: Outcome) -> None:
        super().answer(key, outcome)
        self.is_answered.set()


@pytest.mark.parametrize(
    ("reply", "expected"), [(b"250 taken", Deferred), (b"552 5.3.4 Too large", Rejected)]
)
def test_an_answer_before_the_dot_was_written_is_no_acceptance_and_ends_the_connection(
    reply: bytes, expected: type[Outcome]
) -> None:
    last = bytearray()
    known = threading.Event()

    def answer_early(sock: socket.socket) -> None:
        read_until(sock, b"DATA\r\n")
        sock.sendall(b"250 ok\r\n250 ok\r\n354 go\r\n")
        sock.recv(1_000)
        sock.sendall(reply + b"\r\n")
        known.wait()
        with suppress(ConnectionResetError):
            while data := sock.recv(65_536):
                last[:] = last[-100:] + data

    with speaking(answer_early) as transport:
        source = Telling([b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 500_000])
        source.is_answered = known
        transport.send_many(source, connections=1)

    assert isinstance(source.answers[0], expected)
    assert b"\r\n.\r\n" not in last


@pytest.mark.parametrize(("more", "reply_code"), [("421 4.3.2 Closing", 421), ("250 OK", None)])
def test_what_comes_behind_the_greeting_is_not_taken_for_an_answer(
    server: ScriptedSMTP, more: str, reply_code: int | None
) -> None:
    server.script(Act("ehlo", f"250-x\r\n250 PIPELINING\r\n{more}"))
    transport = make_transport(server)
    source = given_messages(1)

    stopped = transport.send_many(source, connections=1)

    assert stopped
    assert stopped.reply_code == reply_code
    assert (source.begun, source.answers) == ([], {})
    assert server.lines == ["EHLO client.test"]


# --- several connections ------------------------------------------------------------------------


def test_waiting_for_replies_opens_connections_up_to_the_limit(
    server: ScriptedSMTP, transport: SMTPTransport, aside: ThreadPoolExecutor
) -> None:
    event = threading.Event()
    server.script(hold("dot", event), times=None)
    source = given_messages(30)

    sending = aside.submit(transport.send_many, source, connections=3)
    server.wait_for_connections(3)
    event.set()
    stopped = sending.result()

    assert server.connections == 3
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_the_relay_s_settings_limit_connections_too(
    server: ScriptedSMTP, aside: ThreadPoolExecutor
) -> None:
    transport = make_transport(server, connections=2)
    event = threading.Event()
    server.script(hold("dot", event), times=None)
    source = given_messages(30)

    sending = aside.submit(transport.send_many, source, connections=50)
    server.wait_for_connections(2)
    server.wait_for(2)
    event.set()
    stopped = sending.result()
    transport.close()

    assert server.connections == 2
    assert_nothing_is_lost_or_twice(server, source, stopped)


def test_connections_are_kept_and_those_above_a_lower_limit_are_left(
    server: ScriptedSMTP, aside: ThreadPoolExecutor
) -> None:
    transport = make_transport(server)
    event = threading.Event()
    server.script(hold("dot", event), times=3)
    sending = aside.submit(transport.send_many, given_messages(20), connections=3)
    server.wait_for(3)
    event.set()
    assert sending.result() is None

    again = Given([BODY] * 20, first=20)
    assert transport.send_many(again, connections=1) is None
    quits = server.lines.count("QUIT")
    transport.close()

    assert server.connections == 3
    assert quits <= 2
    assert server.lines.count("QUIT") == 3


@pytest.mark.parametrize(
    "act", [closing("connect"), drop("ehlo"), refuse("554 5.7.1 No", "ehlo"), garbage("connect")]
)
def test_a_connection_that_cannot_be_had_beside_others_ends_nothing(
    aside: ThreadPoolExecutor, act: Act
) -> None:
    def refuse_others(phase: str, recipient: str) -> Act | None:
        return act if phase == act.phase and hop.connections > 1 else None

    event = threading.Event()
    source = given_messages(10)
    with ScriptedSMTP(decide=refuse_others) as hop:
        hop.script(hold("dot", event))
        transport = make_transport(hop)

        sending = aside.submit(transport.send_many, source, connections=4)
        hop.wait_for_connections(2)
        event.set()
        stopped = sending.result()
        transport.close()

    assert stopped is None
    assert source.having(Accepted) == {address(key) for key in range(10)}
    assert_nothing_is_lost_or_twice(hop, source, stopped)


def test_a_connection_that_does_not_come_about_holds_up_neither_messages_nor_the_end(
    aside: ThreadPoolExecutor,
) -> None:
    event = threading.Event()
    source = given_messages(10)
    with ScriptedSMTP() as server:
        server.script(Act("connect"))
        server.script(hold("connect", threading.Event()), times=None)
        server.script(hold("dot", event))
        transport = make_transport(server)

        sending = aside.submit(transport.send_many, source, connections=2)
        server.wait_for_connections(2)
        event.set()
        assert sending.result() is None
        transport.close()

        assert source.having(Accepted) == {address(key) for key in range(10)}


# --- a source that ends early -------------------------------------------------------------------


def test_what_the_source_forbids_is_not_written(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    source = given_messages(6)
    source.may_begin = lambda key: key < 3

    stopped = transport.send_many(source, connections=1)

    assert stopped is None
    assert source.begun == [0, 1, 2]
    assert source.having(Accepted) == {address(0), address(1), address(2)}
    assert len(server.messages) == 3


class Breaking(Given):
    def next(self) -> tuple[int, Outgoing] | None:
        if self.pulled == 3:
            raise ConnectionError("the database is away")
        return super().next()


def test_what_is_on_its_way_is_answered_before_a_source_s_failure_is_raised(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    source = Breaking([BODY] * 6)

    with pytest.raises(ConnectionError, match="the database is away"):
        transport.send_many(source, connections=2)

    assert source.having(Accepted) == {address(0), address(1), address(2)}
    assert isinstance(transport.send(Outgoing("", address(9), BODY)), Accepted)


# --- whatever happens ---------------------------------------------------------------------------

ACTS = st.builds(
    lambda phase, trouble: TROUBLES[trouble](phase),
    st.sampled_from(["connect", "ehlo", "mail", "rcpt", "data", "body", "dot", "rset", "quit"]),
    st.sampled_from(sorted(TROUBLES.keys() - {"silence"})),
)
SCRIPT = st.lists(
    st.tuples(ACTS, st.sampled_from(["", *(address(key) for key in range(8))])), max_size=8
)


@pytest.mark.usefixtures("impatience")
@settings(deadline=None, max_examples=150)
@given(
    script=SCRIPT,
    count=st.integers(1, 24),
    connections=st.integers(1, 4),
    extensions=st.sampled_from([EXTENSIONS, PLAIN]),
    replies=st.sampled_from(["one by one", "byte by byte", "together"]),
    limit=st.integers(1, 9),
    is_lenient=st.booleans(),
)
def test_whatever_the_next_hop_does_nothing_is_lost_and_nothing_is_taken_twice(
    script: list[tuple[Act, str]],
    count: int,
    connections: int,
    extensions: frozenset[str],
    replies: str,
    limit: int,
    is_lenient: bool,
) -> None:
    source = given_messages(count)
    with ScriptedSMTP(extensions=extensions, replies=replies, is_lenient=is_lenient) as server:
        for act, recipient in script:
            server.script(act, recipient=recipient)
        transport = make_transport(server, messages_per_connection=limit)

        stopped = transport.send_many(source, connections=connections)
        transport.close()

    assert_nothing_is_lost_or_twice(server, source, stopped)
    if not script:
        assert source.having(Accepted) == {address(key) for key in range(count)}
