"""The SMTP client against a next hop that does everything a next hop can do wrong."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.line import stuffed
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected, SpeaksOf
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay, StartTLS
from campaigns.sending.smtp import SMTPTransport
from tests.certificates import TLSPair, make_tls_pair
from tests.smtp_server import (
    Act,
    ScriptedSMTP,
    closing,
    defer,
    drop,
    garbage,
    hold,
    refuse,
)

BLOCK = 65_536  # what is read or written at once
ANN = "ann@example.org"
BOB = "bob@example.org"
BODY = b"Subject: Hello\r\n\r\nGood morning.\r\n"


def make_message(recipient: str = ANN, data: bytes = BODY, **kwargs: Any) -> Outgoing:
    return Outgoing(
        envelope_sender=kwargs.get("envelope_sender", "b-1@bounce.example"),
        recipient=recipient,
        data=data,
    )


def make_transport(
    server: ScriptedSMTP, tls: TLSPair | None = None, **kwargs: Any
) -> SMTPTransport:
    relay = Relay(host="127.0.0.1", port=server.port, local_hostname="client.test", **kwargs)
    return SMTPTransport(relay, tls.client if tls else None)


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
def tls(tmp_path: Path) -> TLSPair:
    return make_tls_pair(tmp_path)


def kind(outcome: Outcome) -> str:
    if isinstance(outcome, Deferred):
        return outcome.scope.value
    return type(outcome).__name__


# --- one message ------------------------------------------------------------------------------


def test_a_message_arrives_as_it_is(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    outcome = transport.send(make_message())

    assert outcome == Accepted(
        reply_code=250, enhanced_status_code="2.0.0", diagnostic="2.0.0 OK queued"
    )
    (message,) = server.messages
    assert (message.envelope_sender, message.recipient) == ("b-1@bounce.example", ANN)
    assert message.data == BODY
    assert server.lines == [
        "EHLO client.test",
        "MAIL FROM:<b-1@bounce.example>",
        "RCPT TO:<ann@example.org>",
        "DATA",
    ]


def test_the_null_sender_is_written_as_such(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    transport.send(make_message(envelope_sender=""))

    assert "MAIL FROM:<>" in server.lines


# --- every phase, every kind of failure -------------------------------------------------------

PHASES = ["connect", "ehlo", "mail", "rcpt", "data", "dot"]

EXPECTED = {
    "connect": {"4yz": "transport", "5yz": "transport", "drop": "transport"},
    "ehlo": {"4yz": "transport", "5yz": "transport", "drop": "transport"},
    "mail": {"4yz": "recipient", "5yz": "Rejected", "drop": "transport"},
    "rcpt": {"4yz": "recipient", "5yz": "Rejected", "drop": "transport"},
    "data": {"4yz": "recipient", "5yz": "Rejected", "drop": "transport"},
    "dot": {"4yz": "recipient", "5yz": "Rejected", "drop": "InDoubt"},
}


@pytest.mark.parametrize("phase", PHASES)
def test_4yz_defers_in_every_phase(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str
) -> None:
    server.script(defer("451 4.2.0 Not now", phase))

    outcome = transport.send(make_message())

    assert kind(outcome) == EXPECTED[phase]["4yz"]
    assert (outcome.reply_code, outcome.enhanced_status_code) == (451, "4.2.0")
    assert server.messages == []


@pytest.mark.parametrize("phase", PHASES)
def test_5yz_rejects_in_the_transaction_and_defers_before_it(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str
) -> None:
    server.script(refuse("554 5.7.1 Never", phase))

    outcome = transport.send(make_message())

    assert kind(outcome) == EXPECTED[phase]["5yz"]
    assert (outcome.reply_code, outcome.diagnostic) == (554, "5.7.1 Never")
    assert server.messages == []


@pytest.mark.parametrize("phase", PHASES)
def test_a_lost_connection_is_in_doubt_after_the_dot_only(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str
) -> None:
    server.script(drop(phase))

    outcome = transport.send(make_message())

    assert kind(outcome) == EXPECTED[phase]["drop"]
    assert outcome.reply_code is None
    assert [message.answered for message in server.messages] == ([False] if phase == "dot" else [])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "reply", ["\x00\xffwhat?", "ok", "25 OK", "2500 OK", "190 odd", "999 odd", "+25 OK", "250OK"]
)
def test_garbage_is_no_reply(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str, reply: str
) -> None:
    server.script(garbage(phase, reply))

    outcome = transport.send(make_message())

    assert kind(outcome) == EXPECTED[phase]["drop"]


@pytest.mark.parametrize("phase", ["rcpt", "data", "dot"])
def test_after_every_failure_the_next_message_goes_out(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str
) -> None:
    for act in (
        defer("451 4.2.0 Not now", phase),
        refuse("554 5.7.1 Never", phase),
        drop(phase),
        garbage(phase),
        closing(phase),
    ):
        server.script(act)

        assert not isinstance(transport.send(make_message(BOB)), Accepted)
        assert isinstance(transport.send(make_message(ANN)), Accepted)

    assert len([m for m in server.messages_to(ANN) if m.answered]) == 5


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_421_speaks_of_the_way_out(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str
) -> None:
    server.script(closing(phase))

    assert kind(transport.send(make_message())) == "transport"
    assert isinstance(transport.send(make_message()), Accepted)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("phase", "reply", "expected"),
    [
        ("rcpt", "354 Go ahead", "transport"),
        ("data", "250 OK", "transport"),
        ("dot", "354 Go ahead", "InDoubt"),
    ],
)
def test_a_reply_out_of_turn_is_no_reply(
    server: ScriptedSMTP, transport: SMTPTransport, phase: str, reply: str, expected: str
) -> None:
    server.script(Act(phase, reply, close=True))

    assert kind(transport.send(make_message())) == expected


def test_a_reply_of_many_lines_is_one_reply(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    server.script(refuse("550 5.1.1 No such user\n550 5.1.1 Look it up"))

    outcome = transport.send(make_message())

    assert outcome == Rejected(
        reply_code=550,
        enhanced_status_code="5.1.1",
        diagnostic="5.1.1 No such user 5.1.1 Look it up",
        speaks_of=SpeaksOf.RECIPIENT,
    )


def test_a_reply_without_end_is_no_reply(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    server.script(garbage("dot", "\n".join(["250 x"] * 200)))

    assert isinstance(transport.send(make_message()), InDoubt)


def test_a_reply_with_two_codes_is_no_reply(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    server.script(Act("dot", "250-2.0.0 OK\r\n550 5.7.1 No"))

    assert isinstance(transport.send(make_message()), InDoubt)


def test_a_line_without_end_is_no_reply(server: ScriptedSMTP, transport: SMTPTransport) -> None:
    server.script(garbage("rcpt", "550 " + "x" * 20_000))

    assert kind(transport.send(make_message())) == "transport"


def test_two_replies_to_one_command_do_not_answer_the_next_one(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(Act("data", "354 Go ahead\r\n250 2.0.0 OK"))

    outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert server.messages == []


# --- doubt ------------------------------------------------------------------------------------


def test_silence_after_the_dot_is_doubt(server: ScriptedSMTP) -> None:
    transport = make_transport(server, dot_timeout=0.05)
    server.script(hold("dot", threading.Event()))

    outcome = transport.send(make_message())

    assert isinstance(outcome, InDoubt)
    assert "TimeoutError" in outcome.diagnostic
    assert len(server.messages) == 1


def test_silence_before_the_dot_is_a_deferral(server: ScriptedSMTP) -> None:
    transport = make_transport(server, timeout=0.05)
    server.script(hold("rcpt", threading.Event()))

    assert kind(transport.send(make_message())) == "transport"


def test_a_slow_answer_to_the_dot_is_waited_for(server: ScriptedSMTP) -> None:
    transport = make_transport(server)
    event = threading.Event()
    server.script(hold("dot", event))
    outcomes: list[Outcome] = []
    sending = threading.Thread(target=lambda: outcomes.append(transport.send(make_message())))

    sending.start()
    server.wait_for(1)
    event.set()
    sending.join()

    assert isinstance(outcomes[0], Accepted)
    transport.close()


def test_a_connection_cut_within_a_long_message_leaves_no_doubt(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(drop("body"))
    long = b"Subject: Long\r\n\r\n" + (b"x" * 76 + b"\r\n") * 200_000

    outcome = transport.send(make_message(data=long))

    assert kind(outcome) == "transport"
    assert server.messages == []


def test_a_connection_cut_within_the_last_block_is_in_doubt(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(drop("body"))

    assert isinstance(transport.send(make_message()), InDoubt)


@pytest.mark.parametrize("size", [BLOCK - 3, BLOCK - 2, BLOCK, 3 * BLOCK + 1])
def test_a_message_of_any_length_arrives_whole(
    server: ScriptedSMTP, transport: SMTPTransport, size: int
) -> None:
    data = (b"." * 60 + b"\r\n") * (size // 62 + 1)

    assert isinstance(transport.send(make_message(data=data)), Accepted)
    assert server.messages[0].data == data


# --- kept connections -------------------------------------------------------------------------


def test_one_connection_serves_many_messages(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    for number in range(20):
        assert isinstance(transport.send(make_message(f"a{number}@example.org")), Accepted)

    assert server.connections == 1
    assert len(server.messages) == 20


def test_a_refused_transaction_is_reset_and_the_connection_kept(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(refuse(), recipient=BOB)

    transport.send(make_message(BOB))
    transport.send(make_message(ANN))

    assert server.connections == 1
    assert server.lines.count("RSET") == 1
    assert [message.recipient for message in server.messages] == [ANN]


@pytest.mark.parametrize("act", [drop("rset"), refuse("500 no", "rset"), garbage("rset")])
def test_a_connection_that_cannot_be_reset_is_replaced(
    server: ScriptedSMTP, transport: SMTPTransport, act: Act
) -> None:
    server.script(refuse(), recipient=BOB)
    server.script(act)

    outcome = transport.send(make_message(BOB))

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.1.1"
    assert isinstance(transport.send(make_message(ANN)), Accepted)
    assert server.connections == 2


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_outcome(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    transport.send(make_message(ANN))
    server.cut_connections()

    assert isinstance(transport.send(make_message(BOB)), Accepted)
    assert server.connections == 2
    assert len(server.messages) == 2


def test_a_kept_connection_closed_at_mail_costs_no_outcome(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    transport.send(make_message(ANN))
    server.script(closing("mail", "421 4.4.2 Idle too long"))

    assert isinstance(transport.send(make_message(BOB)), Accepted)
    assert server.connections == 2


def test_a_kept_connection_that_spoke_out_of_turn_is_replaced(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(Act("dot", "250 2.0.0 OK\r\n421 4.4.2 Idle too long", close=True))
    transport.send(make_message(ANN))

    assert isinstance(transport.send(make_message(BOB)), Accepted)
    assert server.connections == 2


def test_a_closed_connection_is_replaced_once_only(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    transport.send(make_message(ANN))
    server.script(drop("mail"), times=None)

    assert kind(transport.send(make_message(BOB))) == "transport"
    assert server.connections == 2


def test_a_new_connection_closed_at_mail_is_not_replaced(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(drop("mail"))

    assert kind(transport.send(make_message())) == "transport"
    assert server.connections == 1


def test_a_connection_is_left_after_its_share_of_messages(server: ScriptedSMTP) -> None:
    transport = make_transport(server, messages_per_connection=2)
    server.script(refuse(), recipient=BOB)

    for recipient in (ANN, BOB, ANN, ANN, ANN):
        transport.send(make_message(recipient))
    transport.close()

    assert server.connections == 3
    assert server.lines.count("QUIT") == 3
    assert len(server.messages) == 4


def test_a_server_that_ends_connections_by_itself_costs_no_outcome() -> None:
    with ScriptedSMTP(messages_per_connection=3) as server:
        transport = make_transport(server)

        outcomes = [transport.send(make_message()) for _ in range(10)]
        transport.close()

    assert {kind(outcome) for outcome in outcomes} == {"Accepted"}
    assert (server.connections, len(server.messages)) == (4, 10)


def test_close_says_quit_and_a_later_message_connects_again(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    transport.send(make_message())
    transport.close()
    transport.close()

    assert isinstance(transport.send(make_message()), Accepted)
    assert server.lines.count("QUIT") == 1
    assert server.connections == 2


@pytest.mark.parametrize("act", [drop("quit"), garbage("quit"), refuse("500 no", "quit")])
def test_close_succeeds_whatever_the_server_says(
    server: ScriptedSMTP, transport: SMTPTransport, act: Act
) -> None:
    transport.send(make_message())
    server.script(act)

    transport.close()

    assert server.lines[-1] == "QUIT"


def test_a_server_that_is_not_there_defers_by_transport() -> None:
    with ScriptedSMTP() as server:
        port = server.port
    transport = SMTPTransport(Relay(host="127.0.0.1", port=port))

    outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert "ConnectionRefusedError" in outcome.diagnostic


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70 + ".invalid", "a..b"])
def test_a_host_without_address_defers_by_transport(host: str) -> None:
    transport = SMTPTransport(Relay(host=host, port=25))

    assert kind(transport.send(make_message())) == "transport"


def test_a_server_without_ehlo_is_greeted_in_the_old_way(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    server.script(refuse("502 5.5.1 Not implemented", "ehlo"))

    assert isinstance(transport.send(make_message()), Accepted)
    assert server.lines[:2] == ["EHLO client.test", "helo client.test"]


# --- authentication ---------------------------------------------------------------------------


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "LOGIN PLAIN", "XOAUTH2 plain"])
def test_user_and_password_open_the_way(mechanisms: str) -> None:
    with ScriptedSMTP(users={"úser": "pä ss@:"}, auth=mechanisms) as server:
        transport = make_transport(server, user="úser", password="pä ss@:")

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN"])
def test_a_wrong_password_defers_by_transport(mechanisms: str) -> None:
    with ScriptedSMTP(users={"user": "right"}, auth=mechanisms) as server:
        transport = make_transport(server, user="user", password="wr0ng-secret")

        outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert (outcome.reply_code, outcome.enhanced_status_code) == (535, "5.7.8")
    assert "wr0ng-secret" not in f"{outcome!r} {transport!r} {transport.relay!r}"


@pytest.mark.parametrize("act", [drop("auth"), garbage("auth"), defer("454 4.7.0 Later", "auth")])
def test_authentication_that_fails_defers_by_transport(act: Act) -> None:
    with ScriptedSMTP(users={"user": "right"}) as server:
        server.script(act)
        transport = make_transport(server, user="user", password="right")

        assert kind(transport.send(make_message())) == "transport"


def test_a_mechanism_that_is_not_known_defers_by_transport() -> None:
    with ScriptedSMTP(users={"user": "right"}, auth="XOAUTH2") as server:
        transport = make_transport(server, user="user", password="right")

        outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert not any(line.startswith("AUTH") for line in server.lines)


def test_a_server_that_wants_authentication_defers_by_transport() -> None:
    with ScriptedSMTP(users={"user": "right"}) as server:
        transport = make_transport(server)

        outcome = transport.send(make_message())

        assert (kind(outcome), outcome.reply_code) == ("transport", 530)
        transport.close()


# --- encryption -------------------------------------------------------------------------------


def test_starttls_encrypts_where_it_is_required(tls: TLSPair) -> None:
    with ScriptedSMTP(tls=tls.server, users={"user": "right"}) as server:
        transport = make_transport(
            server, tls, starttls=StartTLS.REQUIRED, user="user", password="right"
        )

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()

    verbs = [line.split()[0] for line in server.lines]
    assert verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


def test_implicit_tls_encrypts_from_the_first_byte(tls: TLSPair) -> None:
    with ScriptedSMTP(tls=tls.server, implicit_tls=True) as server:
        transport = make_transport(server, tls, implicit_tls=True)

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()

    assert "STARTTLS" not in server.lines


@pytest.mark.parametrize("implicit_tls", [True, False])
def test_a_certificate_that_is_not_trusted_defers_by_transport(
    tls: TLSPair, implicit_tls: bool
) -> None:
    with ScriptedSMTP(tls=tls.server, implicit_tls=implicit_tls) as server:
        transport = make_transport(
            server, None, implicit_tls=implicit_tls, starttls=StartTLS.REQUIRED
        )

        outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.diagnostic
    assert server.messages == []


def test_required_starttls_that_is_not_offered_defers_by_transport(
    server: ScriptedSMTP,
) -> None:
    transport = make_transport(server, starttls=StartTLS.REQUIRED)

    outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert "offers no STARTTLS" in outcome.diagnostic


@pytest.mark.parametrize(
    "act", [drop("starttls"), garbage("starttls"), defer("454 4.7.0 No TLS now", "starttls")]
)
def test_starttls_that_fails_defers_by_transport(tls: TLSPair, act: Act) -> None:
    with ScriptedSMTP(tls=tls.server) as server:
        server.script(act)
        transport = make_transport(server, tls, starttls=StartTLS.REQUIRED)

        assert kind(transport.send(make_message())) == "transport"


def test_text_slipped_in_before_encryption_is_not_read(tls: TLSPair) -> None:
    with ScriptedSMTP(tls=tls.server) as server:
        server.script(Act("starttls", "220 Ready\r\n250 2.0.0 OK", close=True))
        transport = make_transport(server, tls, starttls=StartTLS.REQUIRED)

        outcome = transport.send(make_message())

    assert kind(outcome) == "transport"
    assert "more than its reply" in outcome.diagnostic


@pytest.mark.parametrize("starttls", [StartTLS.WHEN_OFFERED, StartTLS.NEVER])
def test_loopback_is_not_encrypted_unless_required(tls: TLSPair, starttls: StartTLS) -> None:
    with ScriptedSMTP(tls=tls.server) as server:
        transport = make_transport(server, starttls=starttls)

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()

    assert "STARTTLS" not in server.lines


# Any other name for this machine is not loopback to the client; 0.0.0.0 leads to it on Linux.


def test_elsewhere_starttls_is_used_when_offered_and_verified(tls: TLSPair) -> None:
    with ScriptedSMTP(tls=tls.server) as server:
        relay = Relay(host="0.0.0.0", port=server.port)  # noqa: S104 - a destination

        outcome = SMTPTransport(relay, tls.client).send(make_message())

    assert kind(outcome) == "transport"
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.diagnostic  # it is made out to 127.0.0.1


def test_elsewhere_a_server_without_starttls_is_used_in_clear(server: ScriptedSMTP) -> None:
    transport = SMTPTransport(Relay(host="0.0.0.0", port=server.port))  # noqa: S104

    assert isinstance(transport.send(make_message()), Accepted)
    transport.close()


def test_elsewhere_a_password_is_not_sent_in_clear() -> None:
    with ScriptedSMTP(users={"user": "right"}) as server:
        relay = Relay(host="0.0.0.0", port=server.port, user="user", password="right")  # noqa: S104

        outcome = SMTPTransport(relay).send(make_message())

    assert kind(outcome) == "transport"
    assert not any(line.startswith("AUTH") for line in server.lines)


def test_elsewhere_a_password_is_sent_in_clear_to_whom_asks_for_it() -> None:
    with ScriptedSMTP(users={"user": "right"}) as server:
        relay = Relay(host="0.0.0.0", port=server.port, user="user", password="right")  # noqa: S104
        transport = SMTPTransport(replace(relay, starttls=StartTLS.NEVER))

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()


# --- what the server offers -------------------------------------------------------------------


def test_an_address_beyond_ascii_is_announced(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    data = "Subject: Grüße\r\n\r\nBonjour.\r\n".encode()

    outcome = transport.send(make_message("josé@xn--fa-hia.de", data))

    assert isinstance(outcome, Accepted)
    assert server.messages[0].recipient == "josé@xn--fa-hia.de"
    assert server.messages[0].data == data
    assert "MAIL FROM:<b-1@bounce.example> BODY=8BITMIME SMTPUTF8" in server.lines


@pytest.mark.parametrize("recipient", ["josé@example.org", "ann@exämple.org"])
def test_an_address_beyond_ascii_is_refused_without_smtputf8(recipient: str) -> None:
    with ScriptedSMTP(extensions={"8BITMIME"}) as server:
        transport = make_transport(server)

        outcome = transport.send(make_message(recipient))

        assert isinstance(outcome, Rejected)
        assert outcome.enhanced_status_code == "5.6.7"
        assert "SMTPUTF8" in outcome.diagnostic
        assert isinstance(transport.send(make_message(ANN)), Accepted)
        transport.close()

    assert [line for line in server.lines if "RCPT" in line] == [f"RCPT TO:<{ANN}>"]


def test_8_bit_text_is_refused_without_8bitmime() -> None:
    with ScriptedSMTP(extensions=()) as server:
        transport = make_transport(server)

        outcome = transport.send(make_message(data="Subject: é\r\n\r\n".encode()))
        transport.close()

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.6.3"


def test_the_size_is_announced_where_it_is_asked_for() -> None:
    with ScriptedSMTP(size=len(BODY)) as server:
        transport = make_transport(server)

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()

    assert f"MAIL FROM:<b-1@bounce.example> SIZE={len(BODY)}" in server.lines


def test_a_message_above_the_size_limit_is_not_offered() -> None:
    with ScriptedSMTP(size=len(BODY) - 1) as server:
        transport = make_transport(server)

        outcome = transport.send(make_message())
        transport.close()

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.3.4"
    assert not any(line.startswith("MAIL") for line in server.lines)


def test_a_size_limit_of_zero_is_none() -> None:
    with ScriptedSMTP(size=0) as server:
        transport = make_transport(server)

        assert isinstance(transport.send(make_message()), Accepted)
        transport.close()


# --- nothing can break out --------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b".\r\n",
        b"..\r\n.\r\n",
        b"a\r\n.\r\nMAIL FROM:<evil@x.example>\r\n",
        b"a\r\n..b\r\n.c\r\n",
        b"\r\n.\r\n.\r\n",
    ],
)
def test_dots_do_not_end_the_message(
    server: ScriptedSMTP, transport: SMTPTransport, data: bytes
) -> None:
    assert isinstance(transport.send(make_message(data=data)), Accepted)

    assert [message.data for message in server.messages] == [data]


def test_a_message_without_last_line_end_gets_one(
    server: ScriptedSMTP, transport: SMTPTransport
) -> None:
    transport.send(make_message(data=b"Subject: x\r\n\r\nend"))

    assert server.messages[0].data == b"Subject: x\r\n\r\nend\r\n"


@given(st.lists(st.sampled_from([b".", b"\r\n", b"a", b".\r\n", b"\r\n.\r\n"]), max_size=30))
def test_stuffed_data_has_one_end(pieces: list[bytes]) -> None:
    data = b"".join(pieces)

    wire = b"\r\n" + stuffed(data)

    assert wire.find(b"\r\n.\r\n") == len(wire) - 5
    assert wire[:-3].replace(b"\r\n.", b"\r\n")[2:].removesuffix(b"\r\n") == data.removesuffix(
        b"\r\n"
    )


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n", b"\n\r"])
def test_a_bare_line_end_is_refused(
    server: ScriptedSMTP, transport: SMTPTransport, end: bytes
) -> None:
    outcome = transport.send(make_message(data=b"Subject: x" + end + b".\r\nMAIL\r\n"))

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.6.0"
    assert server.connections == 0


UNSAFE = [
    "a\r\nRCPT TO:<evil@x.example>@example.org",
    "a\n@example.org",
    "a\r@example.org",
    "a b@example.org",
    "a>@example.org",
    "<a@example.org",
    "a\x00@example.org",
    "a\x7f@example.org",
    "a\x85@example.org",
    "a\u2028@example.org",
    "a\udc80@example.org",
]


@pytest.mark.parametrize("address", [*UNSAFE, ""])
def test_an_unsafe_recipient_is_never_written(
    server: ScriptedSMTP, transport: SMTPTransport, address: str
) -> None:
    outcome = transport.send(make_message(address))

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.1.3"
    assert server.connections == 0


@pytest.mark.parametrize("address", UNSAFE)
def test_an_unsafe_envelope_sender_is_never_written_and_not_held_against_the_recipient(
    server: ScriptedSMTP, transport: SMTPTransport, address: str
) -> None:
    outcome = transport.send(make_message(envelope_sender=address))

    assert isinstance(outcome, Rejected)
    assert outcome.enhanced_status_code == "5.1.7"
    assert server.connections == 0
