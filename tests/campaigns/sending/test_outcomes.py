"""Reply lines in the manner of the big hosts, and what each means for the delivery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sending.outcomes import (
    Accepted,
    Cause,
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
    (
        RCPT,
        550,
        "5.1.1 The email account that you tried to reach does not exist.",
        "rejected: recipient",
    ),
    (
        RCPT,
        550,
        "5.1.1 <ann@example.org>: Recipient address rejected: User unknown",
        "rejected: recipient",
    ),
    (
        RCPT,
        550,
        "5.5.0 Requested action not taken: mailbox unavailable (S2017062302)",
        "rejected: recipient",
    ),
    (
        RCPT,
        550,
        "5.4.1 Recipient address rejected: Access denied. [AM1.example]",
        "rejected: recipient",
    ),
    (
        RCPT,
        554,
        "delivery error: dd This user doesn't have an example.com account",
        "rejected: recipient",
    ),
    (RCPT, 550, "No such user here", "rejected: recipient"),
    (RCPT, 551, "5.1.6 User has moved; please try <new@example.org>", "rejected: recipient"),
    (
        RCPT,
        553,
        "5.1.3 The recipient address is not a valid RFC 5321 address.",
        "rejected: recipient",
    ),
    (
        RCPT,
        550,
        "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
        "rejected: recipient",
    ),
    (RCPT, 556, "5.1.10 Domain has a null MX", "rejected: recipient"),
    (DOT, 550, "5.1.1 Addressee unknown", "rejected: recipient"),
    # mailbox full or disabled, and hosts that spare one mailbox
    (RCPT, 452, "4.2.2 The recipient's inbox is out of storage space.", "recipient: mailbox_full"),
    (RCPT, 552, "5.2.2 <ann@example.org>: user is over quota", "rejected: recipient"),
    (RCPT, 452, "4.2.2 Mailbox quota exceeded, message limit reached", "recipient: mailbox_full"),
    (
        RCPT,
        550,
        "5.2.1 The email account that you tried to reach is inactive.",
        "rejected: recipient",
    ),
    (RCPT, 450, "4.2.1 The user is receiving mail at a rate that is too fast.", "recipient: other"),
    (
        RCPT,
        450,
        "4.1.1 <ann@example.org>: Recipient address rejected: unverified",
        "recipient: greylisted",
    ),
    # rate limits and the way out that is closed
    (
        MAIL,
        421,
        "4.7.28 Our system has detected an unusual rate of unsolicited mail",
        "transport: rate_limited",
    ),
    (
        DOT,
        421,
        "4.7.0 This message is suspicious due to the nature of the content",
        "transport: rate_limited",
    ),
    (DOT, 450, "4.7.28 Unusual amount of mail with the same Message-ID", "domain: rate_limited"),
    (
        RCPT,
        451,
        "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited",
        "domain: rate_limited",
    ),
    (
        RCPT,
        451,
        "4.7.500 Server busy. Please try again later from [192.0.2.1].",
        "domain: rate_limited",
    ),
    (
        MAIL,
        421,
        "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred",
        "transport: rate_limited",
    ),
    (
        RCPT,
        451,
        "4.7.1 [TS03] All messages from 192.0.2.1 will be deferred",
        "domain: rate_limited",
    ),
    (DOT, 454, "Throttling failure: Maximum sending rate exceeded.", "transport: rate_limited"),
    (DOT, 454, "Throttling failure: Daily message quota exceeded.", "transport: rate_limited"),
    (RCPT, 450, "too many connections from your host", "domain: rate_limited"),
    (RCPT, 452, "Too many recipients received this hour", "domain: rate_limited"),
    (RCPT, 450, "4.7.1 Error: too much mail, rate limit exceeded", "domain: rate_limited"),
    (RCPT, 421, "RP-001 The mail server IP has exceeded the rate limit", "transport: rate_limited"),
    (RCPT, 421, "4.2.1 (DYN:T1) https://postmaster.example", "transport: rate_limited"),
    (MAIL, 452, "4.3.1 Insufficient system storage", "transport: connection"),
    (MAIL, 432, "4.3.2 Concurrent connections limit exceeded", "transport: rate_limited"),
    (MAIL, 550, "5.4.5 Daily user sending limit exceeded.", "transport: rate_limited"),
    (DATA, 421, "4.4.2 mx.example Error: timeout exceeded", "transport: connection"),
    # greylisting and plain deferrals
    (
        RCPT,
        450,
        "4.2.0 <ann@example.org>: Recipient address rejected: Greylisted",
        "recipient: greylisted",
    ),
    (
        RCPT,
        451,
        "4.7.1 Greylisting in action, please come back in 00:05:00",
        "recipient: greylisted",
    ),
    (RCPT, 451, "Temporary local problem - please try later", "recipient: greylisted"),
    (RCPT, 450, "4.3.0 <ann@example.org>: Temporary lookup failure", "recipient: greylisted"),
    (DOT, 451, "4.3.0 Message held for inspection, try again", "recipient: other"),
    (DATA, 451, "Requested action aborted: local error in processing", "recipient: other"),
    (MAIL, 450, "4.1.8 <b-1@bounce.example>: Sender address rejected", "recipient: other"),
    # policy and authentication of our domain
    (
        DOT,
        421,
        "4.7.32 Your email has been rate limited: From is not aligned",
        "transport: authentication",
    ),
    (
        DOT,
        450,
        "4.7.26 This mail has been blocked: the sender is unauthenticated",
        "transport: authentication",
    ),
    (RCPT, 451, "4.7.23 The sending IP has no PTR record", "transport: authentication"),
    (DOT, 451, "4.7.40 DMARC policy is missing", "transport: authentication"),
    (
        DOT,
        550,
        "5.7.26 This mail has been blocked because the sender is unauthenticated",
        "rejected: sender",
    ),
    (
        DOT,
        550,
        "5.7.515 Access denied, sending domain does not meet requirements",
        "rejected: sender",
    ),
    (
        MAIL,
        550,
        "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent (S3140)",
        "rejected: sender",
    ),
    (
        RCPT,
        554,
        "5.7.1 Service unavailable; Client host blocked using zen.example",
        "rejected: sender",
    ),
    (RCPT, 550, "5.7.350 Remote server returned message detected as spam", "rejected: content"),
    # content, size, protocol
    (DOT, 554, "5.7.9 Message not accepted for policy reasons.", "rejected: content"),
    (DOT, 552, "5.7.0 This message was blocked because its content is a risk", "rejected: content"),
    (DOT, 552, "5.3.4 Your message exceeded the size limits", "rejected: content"),
    (MAIL, 552, "5.3.4 Message size exceeds fixed limit", "rejected: content"),
    (MAIL, 501, "5.1.7 Bad sender address syntax", "rejected: sender"),
    (DATA, 503, "5.5.1 Error: need RCPT command", "rejected: sender"),
    (DOT, 555, "5.5.4 Unsupported option", "rejected: sender"),
    # our own relay
    (AUTH, 535, "5.7.8 Username and Password not accepted.", "transport: authentication"),
    (AUTH, 534, "5.7.9 Application-specific password required.", "transport: authentication"),
    (AUTH, 454, "4.7.0 Temporary authentication failure", "transport: authentication"),
    (MAIL, 530, "5.7.0 Must issue a STARTTLS command first.", "transport: authentication"),
    (MAIL, 530, "Authentication required", "transport: authentication"),
    (
        MAIL,
        538,
        "5.7.11 Encryption required for requested authentication",
        "transport: authentication",
    ),
    (MAIL, 454, "4.7.0 TLS not available due to local problem", "transport: authentication"),
    (RCPT, 554, "5.7.1 <ann@example.org>: Relay access denied", "transport: authentication"),
    (RCPT, 550, "5.7.1 relaying denied", "transport: authentication"),
    (
        RCPT,
        550,
        "5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
        "transport: authentication",
    ),
    (CONNECT, 554, "5.7.1 mx.example ESMTP not accepting messages", "transport: connection"),
    (CONNECT, 421, "mx.example Service not available", "transport: connection"),
    (EHLO, 501, "5.5.4 Invalid domain name", "transport: connection"),
    (TLS, 454, "4.7.0 TLS not available", "transport: connection"),
    # no reply, or one that the phase does not allow
    (CONNECT, None, "ConnectionRefusedError", "transport: connection"),
    (EHLO, None, "timed out", "transport: connection"),
    (TLS, None, "certificate verify failed", "transport: authentication"),
    (AUTH, None, "closed", "transport: connection"),
    (MAIL, None, "closed", "transport: connection"),
    (RCPT, None, "closed", "transport: connection"),
    (DATA, None, "closed", "transport: connection"),
    (DOT, None, "closed", "in doubt"),
    (RCPT, 354, "go ahead", "transport: connection"),
    (DATA, 250, "OK", "transport: connection"),
    (DOT, 354, "go ahead", "in doubt"),
    # classes by what may be done about them
    # ... greylisting, named or not
    (
        RCPT,
        451,
        "4.7.1 <ann@example.org>: Recipient address rejected: Greylisted for 5 minutes",
        "recipient: greylisted",
    ),
    (RCPT, 450, "4.7.1 Please try again later", "recipient: greylisted"),
    (RCPT, 451, "Graylisted, too many unknown senders, come back later", "recipient: greylisted"),
    (RCPT, 450, "4.2.0 Postgrey: delayed for 300 seconds", "recipient: greylisted"),
    (RCPT, 451, "4.3.5 Server configuration problem", "recipient: greylisted"),
    (MAIL, 451, "4.7.1 Greylisting enabled, try again later", "recipient: greylisted"),
    # ... rate limits, of a host for us, and of a relay for its customer
    (
        RCPT,
        450,
        "4.7.28 Our system has detected an unusual rate of mail from your domain",
        "domain: rate_limited",
    ),
    (
        RCPT,
        451,
        "4.7.652 The mail server has exceeded the maximum number of connections",
        "domain: rate_limited",
    ),
    (RCPT, 452, "4.5.3 Too many recipients", "domain: rate_limited"),
    (RCPT, 451, "RP-002 Too many messages from this host", "domain: rate_limited"),
    (
        RCPT,
        450,
        "[TS01] Messages temporarily deferred due to unexpected volume",
        "domain: rate_limited",
    ),
    (DOT, 452, "Message rate exceeded, slow down", "domain: rate_limited"),
    (DOT, 451, "4.7.0 You are sending too fast", "domain: rate_limited"),
    (MAIL, 450, "4.7.28 rate limited", "transport: rate_limited"),
    (MAIL, 452, "4.5.3 Too many messages in this session", "transport: rate_limited"),
    (RCPT, 421, "4.7.0 Temporary System Problem. Try again later", "transport: rate_limited"),
    (CONNECT, 421, "4.7.0 too many connections from 192.0.2.1", "transport: rate_limited"),
    (CONNECT, 554, "Too many connections", "transport: rate_limited"),
    (DOT, 432, "4.3.2 Concurrent connections limit exceeded", "transport: rate_limited"),
    (DOT, 451, "4.7.1 Hourly sending quota of your plan is used up", "transport: rate_limited"),
    # ... full mailboxes, and full or closed hosts
    (
        RCPT,
        452,
        "Requested action not taken: insufficient system storage",
        "recipient: mailbox_full",
    ),
    (RCPT, 450, "Mailbox is over quota", "recipient: mailbox_full"),
    (DOT, 452, "4.2.2 Over quota", "recipient: mailbox_full"),
    (RCPT, 450, "Requested mail action not taken: mailbox unavailable", "recipient: greylisted"),
    (RCPT, 450, "4.2.1 Mailbox temporarily disabled", "recipient: greylisted"),
    (DOT, 450, "4.2.1 Mailbox temporarily disabled", "recipient: other"),
    (MAIL, 452, "Insufficient system storage", "transport: connection"),
    (RCPT, 452, "4.3.1 Insufficient system storage", "transport: connection"),
    (DOT, 451, "4.3.2 Please try again later", "transport: connection"),
    (RCPT, 421, "4.3.2 Service shutting down", "transport: connection"),
    (MAIL, 421, "4.4.2 Connection timed out", "transport: connection"),
    # ... who we are, and who they are
    (EHLO, 530, "5.7.0 Authentication required", "transport: authentication"),
    (AUTH, 550, "Suspended account", "transport: authentication"),
    (AUTH, 421, "4.3.0 Try later", "transport: connection"),
    (
        AUTH,
        None,
        "The next hop offers no STARTTLS; a password is not sent in clear.",
        "transport: authentication",
    ),
    (
        AUTH,
        None,
        "The next hop offers neither AUTH PLAIN nor AUTH LOGIN.",
        "transport: authentication",
    ),
    (TLS, None, "SSLCertVerificationError: hostname mismatch", "transport: authentication"),
    (TLS, None, "The next hop offers no STARTTLS, which is required.", "transport: authentication"),
    (TLS, None, "ConnectionResetError", "transport: connection"),
    (CONNECT, None, "gaierror: Name or service not known", "transport: connection"),
    (RCPT, 421, "4.7.27 SPF did not pass", "transport: authentication"),
    (
        DOT,
        450,
        "4.7.30 This mail has been rate limited because DKIM did not pass",
        "transport: authentication",
    ),
    # ... rejections of us
    (
        DOT,
        550,
        "5.7.25 The IP address sending this message does not have a PTR record",
        "rejected: sender",
    ),
    (DOT, 554, "5.7.1 The message failed DMARC evaluation", "rejected: sender"),
    (RCPT, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]", "rejected: sender"),
    (
        RCPT,
        553,
        "5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, it is in Spamhaus's list",
        "rejected: sender",
    ),
    (
        RCPT,
        553,
        "5.1.8 <b-1@bounce.example>: Sender address rejected: Domain not found",
        "rejected: sender",
    ),
    (
        RCPT,
        550,
        "5.7.60 SMTP; Client does not have permissions to send as this sender",
        "rejected: recipient",
    ),
    (
        MAIL,
        553,
        "5.7.1 <news@example.org>: Sender address rejected: not owned by user",
        "rejected: sender",
    ),
    (MAIL, 554, "Message rejected: Email address is not verified.", "rejected: sender"),
    # ... and of the message
    (DOT, 554, "Message rejected: Email address is not verified.", "rejected: content"),
    (DOT, 554, "5.7.1 Spam message rejected", "rejected: content"),
    (DOT, 550, "5.7.1 Message contains a virus", "rejected: content"),
    (DOT, 552, "Message size exceeds maximum permitted", "rejected: content"),
    (DOT, 523, "5.2.3 Message length exceeds administrative limit", "rejected: content"),
    (DOT, 554, "5.6.0 Message format error", "rejected: content"),
    (MAIL, 552, "Message too large", "rejected: content"),
    (DOT, 550, "Mailbox unavailable", "rejected: recipient"),
    (DOT, 554, "Transaction failed", "rejected: recipient"),
]


def verdict(outcome: Outcome) -> str:
    if isinstance(outcome, Deferred):
        return f"{outcome.scope}: {outcome.cause}"
    if isinstance(outcome, Rejected):
        return f"rejected: {outcome.speaks_of}"
    return {Accepted: "accepted", InDoubt: "in doubt"}[type(outcome)]


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
        cause=Cause.GREYLISTED,
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


def test_a_reply_is_judged_by_its_first_thousand_characters() -> None:
    within = classify(DOT, 451, "x" * 991 + " greylist")
    beyond = classify(DOT, 451, "x" * 992 + " greylist")

    assert verdict(within) == "recipient: greylisted"
    assert verdict(beyond) == "recipient: other"


@given(st.sampled_from(Phase), st.none() | st.integers(400, 599), st.text())
def test_421_and_a_lost_connection_are_never_the_recipients_fault(
    phase: Phase, reply_code: int | None, text: str
) -> None:
    outcome = classify(phase, reply_code, text)

    no_answer_to_dot = phase is DOT and reply_code is None
    if reply_code in {None, 421} and not no_answer_to_dot:
        assert isinstance(outcome, Deferred)
        assert outcome.scope is Scope.TRANSPORT
    if isinstance(outcome, Rejected):
        assert reply_code is not None
        assert reply_code >= 500


@given(st.sampled_from([RCPT, DATA, DOT]), st.integers(400, 499), st.text())
def test_who_waits_for_his_own_mailbox_counts_attempts_and_who_waits_for_us_does_not(
    phase: Phase, reply_code: int, text: str
) -> None:
    outcome = classify(phase, reply_code, text)

    assert isinstance(outcome, Deferred)
    of_recipient = {Cause.GREYLISTED, Cause.MAILBOX_FULL, Cause.OTHER}
    assert (outcome.scope is Scope.RECIPIENT) == (outcome.cause in of_recipient)
    assert outcome.scope is not Scope.DOMAIN or outcome.cause is Cause.RATE_LIMITED
