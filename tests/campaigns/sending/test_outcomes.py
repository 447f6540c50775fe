"""Reply lines in the manner of the big hosts, and what each means for the delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.outcomes import (
    Accepted,
    Deferred,
    InDoubt,
    Outcome,
    Phase,
    Rejected,
    Scope,
    classify,
    enhanced_status_code,
    tidy,
)

CONNECT, EHLO, TLS, AUTH = Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH
MAIL, RCPT, DATA, DOT = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT

REPLIES = [
    # the next hop took it
    (DOT, 250, "2.0.0 OK  1763673245 d2e1a72fcca58-7b9c8f3ab4asi7765432b3a.12 - gsmtp", "accepted"),
    (DOT, 250, "2.0.0 Ok: queued as 4dB5cK2Lz9z9sWp", "accepted"),
    (DOT, 250, "ok dirdel", "accepted"),
    (DOT, 250, "2.6.0 <x@y> [InternalId=4196, Hostname=AM0.prod.example] Queued mail", "accepted"),
    (DOT, 251, "2.1.5 will forward", "accepted"),
    # no such recipient
    (RCPT, 550, "5.1.1 The email account that you tried to reach does not exist.", "rejected"),
    (RCPT, 550, "5.1.1 <ann@example.org>: Recipient address rejected: User unknown", "rejected"),
    (RCPT, 550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302)", "rejected"),
    (RCPT, 550, "5.4.1 Recipient address rejected: Access denied. [AM1.example]", "rejected"),
    (RCPT, 554, "delivery error: dd This user doesn't have an example.com account", "rejected"),
    (RCPT, 550, "No such user here", "rejected"),
    (RCPT, 551, "5.1.6 User has moved; please try <new@example.org>", "rejected"),
    (RCPT, 553, "5.1.3 The recipient address is not a valid RFC 5321 address.", "rejected"),
    (RCPT, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found", "rejected"),
    (RCPT, 556, "5.1.10 Domain has a null MX", "rejected"),
    (DOT, 550, "5.1.1 Addressee unknown", "rejected"),
    # mailbox full or disabled, and hosts that spare one mailbox
    (RCPT, 452, "4.2.2 The recipient's inbox is out of storage space.", "recipient"),
    (RCPT, 552, "5.2.2 <ann@example.org>: user is over quota", "rejected"),
    (RCPT, 452, "4.2.2 Mailbox quota exceeded, message limit reached", "recipient"),
    (RCPT, 550, "5.2.1 The email account that you tried to reach is inactive.", "rejected"),
    (RCPT, 450, "4.2.1 The user is receiving mail at a rate that is too fast.", "recipient"),
    (RCPT, 450, "4.1.1 <ann@example.org>: Recipient address rejected: unverified", "recipient"),
    # rate limits and the way out that is closed
    (MAIL, 421, "4.7.28 Our system has detected an unusual rate of unsolicited mail", "transport"),
    (DOT, 421, "4.7.0 This message is suspicious due to the nature of the content", "transport"),
    (DOT, 450, "4.7.28 Unusual amount of mail with the same Message-ID", "transport"),
    (
        RCPT,
        451,
        "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited",
        "transport",
    ),
    (RCPT, 451, "4.7.500 Server busy. Please try again later from [192.0.2.1].", "transport"),
    (MAIL, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", "transport"),
    (RCPT, 451, "4.7.1 [TS03] All messages from 192.0.2.1 will be deferred", "transport"),
    (DOT, 454, "Throttling failure: Maximum sending rate exceeded.", "transport"),
    (DOT, 454, "Throttling failure: Daily message quota exceeded.", "transport"),
    (RCPT, 450, "too many connections from your host", "transport"),
    (RCPT, 452, "Too many recipients received this hour", "transport"),
    (RCPT, 450, "4.7.1 Error: too much mail, rate limit exceeded", "transport"),
    (RCPT, 421, "RP-001 The mail server IP has exceeded the rate limit", "transport"),
    (RCPT, 421, "4.2.1 (DYN:T1) https://postmaster.example", "transport"),
    (MAIL, 452, "4.3.1 Insufficient system storage", "transport"),
    (MAIL, 432, "4.3.2 Concurrent connections limit exceeded", "transport"),
    (MAIL, 550, "5.4.5 Daily user sending limit exceeded.", "transport"),
    (DATA, 421, "4.4.2 mx.example Error: timeout exceeded", "transport"),
    # greylisting and plain deferrals
    (RCPT, 450, "4.2.0 <ann@example.org>: Recipient address rejected: Greylisted", "recipient"),
    (RCPT, 451, "4.7.1 Greylisting in action, please come back in 00:05:00", "recipient"),
    (RCPT, 451, "Temporary local problem - please try later", "recipient"),
    (RCPT, 450, "4.3.0 <ann@example.org>: Temporary lookup failure", "recipient"),
    (DOT, 451, "4.3.0 Message held for inspection, try again", "recipient"),
    (DATA, 451, "Requested action aborted: local error in processing", "recipient"),
    (MAIL, 450, "4.1.8 <b-1@bounce.example>: Sender address rejected", "recipient"),
    # policy and authentication of our domain
    (DOT, 421, "4.7.32 Your email has been rate limited: From is not aligned", "transport"),
    (DOT, 450, "4.7.26 This mail has been blocked: the sender is unauthenticated", "transport"),
    (RCPT, 451, "4.7.23 The sending IP has no PTR record", "transport"),
    (DOT, 451, "4.7.40 DMARC policy is missing", "transport"),
    (
        DOT,
        550,
        "5.7.26 This mail has been blocked because the sender is unauthenticated",
        "rejected",
    ),
    (DOT, 550, "5.7.515 Access denied, sending domain does not meet requirements", "rejected"),
    (MAIL, 550, "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3140)", "rejected"),
    (RCPT, 554, "5.7.1 Service unavailable; Client host blocked using zen.example", "rejected"),
    (RCPT, 550, "5.7.350 Remote server returned message detected as spam", "rejected"),
    # content, size, protocol
    (DOT, 554, "5.7.9 Message not accepted for policy reasons.", "rejected"),
    (DOT, 552, "5.7.0 This message was blocked because its content is a risk", "rejected"),
    (DOT, 552, "5.3.4 Your message exceeded the size limits", "rejected"),
    (MAIL, 552, "5.3.4 Message size exceeds fixed limit", "rejected"),
    (MAIL, 501, "5.1.7 Bad sender address syntax", "rejected"),
    (DATA, 503, "5.5.1 Error: need RCPT command", "rejected"),
    (DOT, 555, "5.5.4 Unsupported option", "rejected"),
    # our own relay
    (AUTH, 535, "5.7.8 Username and Password not accepted.", "transport"),
    (AUTH, 534, "5.7.9 Application-specific password required.", "transport"),
    (AUTH, 454, "4.7.0 Temporary authentication failure", "transport"),
    (MAIL, 530, "5.7.0 Must issue a STARTTLS command first.", "transport"),
    (MAIL, 530, "Authentication required", "transport"),
    (MAIL, 538, "5.7.11 Encryption required for requested authentication", "transport"),
    (MAIL, 454, "4.7.0 TLS not available due to local problem", "transport"),
    (RCPT, 554, "5.7.1 <ann@example.org>: Relay access denied", "transport"),
    (RCPT, 550, "5.7.1 relaying denied", "transport"),
    (RCPT, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "transport"),
    (CONNECT, 554, "5.7.1 mx.example ESMTP not accepting messages", "transport"),
    (CONNECT, 421, "mx.example Service not available", "transport"),
    (EHLO, 501, "5.5.4 Invalid domain name", "transport"),
    (TLS, 454, "4.7.0 TLS not available", "transport"),
    # no reply, or one that the phase does not allow
    (CONNECT, None, "ConnectionRefusedError", "transport"),
    (EHLO, None, "timed out", "transport"),
    (TLS, None, "certificate verify failed", "transport"),
    (AUTH, None, "closed", "transport"),
    (MAIL, None, "closed", "transport"),
    (RCPT, None, "closed", "recipient"),
    (DATA, None, "closed", "recipient"),
    (DOT, None, "closed", "in doubt"),
    (RCPT, 354, "go ahead", "recipient"),
    (DATA, 250, "OK", "recipient"),
    (DOT, 354, "go ahead", "in doubt"),
]


def verdict(outcome: Outcome) -> str:
    if isinstance(outcome, Deferred):
        return outcome.scope.value
    return {Accepted: "accepted", Rejected: "rejected", InDoubt: "in doubt"}[type(outcome)]


@pytest.mark.parametrize(("phase", "reply_code", "text", "expected"), REPLIES)
def test_a_reply_has_one_meaning(
    phase: Phase, reply_code: int | None, text: str, expected: str
) -> None:
    outcome = classify(phase, reply_code, text)

    assert verdict(outcome) == expected
    assert outcome.reply_code == reply_code
    assert outcome.diagnostic == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("5.1.1 The account does not exist", "5.1.1"),
        ("4.7.650 rate limited", "4.7.650"),
        ("2.0.0 OK", "2.0.0"),
        ("5.1.1", "5.1.1"),
        ("5.7.1: Relay access denied", "5.7.1"),
        ("#5.1.1 unknown", "5.1.1"),
        ("(#5.1.1) unknown", "5.1.1"),
        ("[5.1.1] unknown", "5.1.1"),
        ("550 5.1.1 unknown", "5.1.1"),
        ("550-5.1.1 unknown", "5.1.1"),
        ("mailbox unavailable\n5.2.1 disabled", "5.2.1"),
        ("host mx.example said: 550 5.1.1 unknown", "5.1.1"),
        ("sorry, no mailbox here by that name (#5.1.1)", "5.1.1"),
        ("5.7.1 host said: 550 5.1.1 unknown", "5.7.1"),
        ("Sentence ends with it: (5.1.1).", "5.1.1"),
        ("", ""),
        ("No such user", ""),
        ("5.1.1.9 is an address", ""),
        ("blocked [5.9.12.77] by list", ""),
        ("running version 4.96.2", ""),
        ("Postfix 2.11.0", ""),
        ("3.1.1 is no class", ""),
    ],
)
def test_the_enhanced_status_code_is_found_where_it_may_stand(text: str, code: str) -> None:
    assert enhanced_status_code(text) == code


def test_a_diagnostic_is_one_line_without_control_characters() -> None:
    text = "5.1.1 first\r\n5.1.1 \x1b[31msec\x00ond\x85\u202e\u2028 é"

    assert tidy(text) == "5.1.1 first 5.1.1 [31msecond é"


@pytest.mark.parametrize("text", ["é" * 501, "\x00" + "é" * 501])
def test_a_diagnostic_ends_at_five_hundred_characters(text: str) -> None:
    assert classify(DOT, 550, text).diagnostic == "é" * 500


def test_a_diagnostic_of_five_hundred_characters_is_whole() -> None:
    assert len(classify(DOT, 550, "x" * 500).diagnostic) == 500


def test_a_deferral_says_whom_it_speaks_of() -> None:
    of_recipient = classify(RCPT, 450, "4.2.0 Greylisted")
    of_transport = classify(RCPT, 421, "4.3.2 Going down")

    assert of_recipient == Deferred(
        scope=Scope.RECIPIENT,
        reply_code=450,
        enhanced_status_code="4.2.0",
        diagnostic="4.2.0 Greylisted",
    )
    assert isinstance(of_transport, Deferred)
    assert of_transport.scope is Scope.TRANSPORT


@given(
    st.sampled_from(Phase),
    st.one_of(st.none(), st.integers(min_value=200, max_value=599)),
    st.text(),
)
def test_only_2yz_to_the_dot_is_accepted_and_only_there_is_doubt(
    phase: Phase, reply_code: int | None, text: str
) -> None:
    outcome = classify(phase, reply_code, text)

    is_2yz = reply_code is not None and reply_code // 100 == 2
    assert isinstance(outcome, Accepted) == (phase is DOT and is_2yz)
    is_final = reply_code is not None and reply_code // 100 in {2, 4, 5}
    assert isinstance(outcome, InDoubt) == (phase is DOT and not is_final)
    assert outcome.diagnostic.isprintable() or not outcome.diagnostic.isascii()
