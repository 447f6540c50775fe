"""From a URL to a transport, and Django's email backends as transports."""

import base64
import json
import smtplib
import threading
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.exceptions
from anymail.exceptions import AnymailAPIError, AnymailRequestsAPIError
from anymail.message import AnymailRecipientStatus
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from campaigns.sending.backends import (
    AnymailMessage,
    BackendMessage,
    BackendTransport,
    outcome_of,
)
from campaigns.sending.outcomes import Accepted, Deferred, InDoubt, Outcome, Rejected
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay, StartTLS
from campaigns.sending.smtp import SMTPTransport
from campaigns.sending.transports import BadTransportURL, open_transport
from tests.http_server import Answer, ScriptedHTTP
from tests.smtp_server import Act, ScriptedSMTP, closing, defer, drop, garbage, refuse

ANN = "ann@example.org"

DATA = b"""\
From: =?utf-8?q?Z=C3=B6e?= <news@example.com>\r
To: "Ann, the first" <ann@example.org>\r
Reply-To: answers@example.com\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
Date: Fri, 20 Nov 2026 10:00:00 +0000\r
Message-ID: <abc@example.com>\r
List-Unsubscribe: <https://t.example.com/u/abcdefghijklmnopqrstuvwxyz012345>,\r
 <mailto:u-abcdefghijklmnopqrstuvwxyz012345@bounce.example.com?subject=unsubscribe>\r
List-Unsubscribe-Post: List-Unsubscribe=One-Click\r
DKIM-Signature: v=1; a=rsa-sha256; d=example.com\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="m"\r
\r
--m\r
Content-Type: multipart/alternative; boundary="a"\r
\r
--a\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: base64\r
\r
R3LDvMOfZQ==\r
--a\r
Content-Type: multipart/related; boundary="r"\r
\r
--r\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
<p>Gr=C3=BC=C3=9Fe <img src=3D"cid:logo"></p>\r
--r\r
Content-Type: image/png; name="logo.png"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: inline; filename="logo.png"\r
Content-ID: <logo>\r
\r
iVBORw0KGgo=\r
--r--\r
--a--\r
--m\r
Content-Type: application/pdf; name="price list.pdf"\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename="price list.pdf"\r
\r
JVBERi0=\r
--m--\r
"""

PLAIN = b"From: news@example.com\r\nTo: ann@example.org\r\nSubject: Hi\r\n\r\nGood morning.\r\n"


def make_message(recipient: str = ANN, data: bytes = DATA) -> Outgoing:
    return Outgoing("b-1@bounce.example", recipient, data)


def kind(outcome: Outcome) -> str:
    if isinstance(outcome, Deferred):
        return f"{outcome.scope}: {outcome.cause}"
    return type(outcome).__name__


# --- URLs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail.example", Relay(host="mail.example", port=25)),
        ("smtp://127.0.0.1:1025", Relay(host="127.0.0.1", port=1025)),
        ("smtp://[::1]:1025/", Relay(host="::1", port=1025)),
        (
            "smtp://u:p@mail.example",
            Relay(host="mail.example", port=587, user="u", password="p"),
        ),
        (
            "SMTPS://u%40x:p%2Fa%3Ass+%25@mail.example",
            Relay(
                host="mail.example",
                port=465,
                user="u@x",
                password="p/a:ss+%",
                implicit_tls=True,
            ),
        ),
        (
            (
                "smtp://mail.example?starttls=required&timeout=5&dot_timeout=7.5"
                "&local_hostname=me.example&messages_per_connection=20&connections=3"
            ),
            Relay(
                host="mail.example",
                port=25,
                starttls=StartTLS.REQUIRED,
                timeout=5.0,
                dot_timeout=7.5,
                local_hostname="me.example",
                messages_per_connection=20,
                connections=3,
            ),
        ),
    ],
)
def test_an_smtp_url_names_a_relay(url: str, relay: Relay) -> None:
    transport = open_transport(url)

    assert isinstance(transport, SMTPTransport)
    assert transport.relay == relay


BAD_URLS = [
    "",
    "mail.example",
    "http://mail.example",
    "smtp:",
    "smtp://",
    "smtp://:25",
    "smtp://mail.example:port",
    "smtp://mail.example:99999",
    "smtp://mail.example/path",
    "smtp://mail.example#fragment",
    "smtp://[::1",
    "smtp://mail.example?unknown=1",
    "smtp://mail.example?timeout=soon",
    "smtp://mail.example?timeout=0",
    "smtp://mail.example?timeout=-1",
    "smtp://mail.example?timeout=nan",
    "smtp://mail.example?messages_per_connection=0",
    "smtp://mail.example?messages_per_connection=many",
    "smtp://mail.example?connections=0",
    "smtp://mail.example?starttls=maybe",
    "smtp://mail.example?local_hostname=a%0Ab",
    "backend:",
    "backend:nothing",
    "backend:no.such.Backend",
    "backend:os.system",
    "backend:django.core.mail.EmailMessage",
    "backend:django.core.mail.backends.smtp.EmailBackend?port=many",
    "backend:django.core.mail.backends.smtp.EmailBackend?fail_silently=1",
    "backend:django.core.mail.backends.smtp.EmailBackend?use_tls=1&use_ssl=1",
    "backend:anymail.backends.mailgun.EmailBackend",
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_cannot_be_used_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(BadTransportURL) as refused:
        open_transport(url)

    assert str(refused.value).isprintable()
    assert str(refused.value).endswith(".")
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:hush/hush@mail.example",
        "smtp://user:hush?hush@mail.example",
        "smtp://user:1?hush=1@mail.example",
        "smtp://user:1#hush@mail.example",
        "smtp://user:hush@mail.example:port",
        "smtp://user:hush@mail.example/path",
        "smtp://user:hush@mail.example?timeout=soon",
        "smpt://user:hush@mail.example",
        "backend:smtp://user:hush@mail.example",
        "backend:anymail.backends.no.Such?api_key=hush",
        "backend:django.core.mail.backends.smtp.EmailBackend?password=hush&port=many",
        "backend:anymail.backends.mailgun.EmailBackend?token=hush",
    ],
)
def test_a_refusal_holds_no_secret(url: str) -> None:
    with pytest.raises(BadTransportURL) as refused:
        open_transport(url)

    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:hush@mail.example",
        "backend:anymail.backends.mailgun.EmailBackend?api_key=hush",
        "backend:django.core.mail.backends.smtp.EmailBackend?password=hush",
    ],
)
def test_a_transport_shows_no_secret(url: str) -> None:
    assert "hush" not in repr(open_transport(url))


@given(st.text(), st.sampled_from(["", "smtp://", "smtps://", "backend:", "smtp://u:p@h?"]))
def test_any_text_is_a_transport_or_refused(text: str, start: str) -> None:
    try:
        transport = open_transport(start + text)
    except BadTransportURL:
        return
    transport.close()


# --- the message in Django's form -------------------------------------------------------------


def test_a_message_keeps_its_parts_for_a_backend() -> None:
    message = AnymailMessage(make_message(), extras={"envelope_sender", "metadata"})

    assert message.subject == "Grüße"
    assert message.from_email == "Zöe <news@example.com>"
    assert message.to == ['"Ann, the first" <ann@example.org>']
    assert message.reply_to == ["answers@example.com"]
    assert message.envelope_sender == "b-1@bounce.example"
    assert message.metadata == {"delivery": "abc"}
    assert message.body.strip() == "Grüße"
    assert [(type_, str(content).strip()) for content, type_ in message.alternatives] == [
        ("text/html", '<p>Grüße <img src="cid:logo"></p>')
    ]
    assert message.extra_headers == {
        "Message-ID": "<abc@example.com>",
        "List-Unsubscribe": "<https://t.example.com/u/abcdefghijklmnopqrstuvwxyz012345>,"
        " <mailto:u-abcdefghijklmnopqrstuvwxyz012345@bounce.example.com?subject=unsubscribe>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_attachments_keep_name_type_and_content_id() -> None:
    image, pdf = BackendMessage(make_message()).attachments

    assert isinstance(image, Message)
    assert isinstance(pdf, Message)
    assert (image.get_content_type(), image["Content-ID"]) == ("image/png", "<logo>")
    assert image.get_payload(decode=True) == b"\x89PNG\r\n\x1a\n"
    assert (pdf.get_content_type(), pdf.get_filename()) == ("application/pdf", "price list.pdf")
    assert pdf.get_payload(decode=True) == b"%PDF-"


def test_a_message_with_html_alone_has_no_empty_text_part() -> None:
    data = b"From: a@x.example\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n"

    message = BackendMessage(make_message(data=data))

    assert (message.content_subtype, message.body.strip()) == ("html", "<p>Hi</p>")
    assert message.alternatives == []


def test_a_to_header_for_somebody_else_does_not_change_the_recipient() -> None:
    assert BackendMessage(make_message("bob@example.org")).to == ["bob@example.org"]


def test_the_bytes_stay_as_they_are() -> None:
    written = BackendMessage(make_message()).message()

    assert written.as_bytes(linesep="\r\n") == DATA  # type: ignore[call-arg]
    assert written.as_bytes() == DATA.replace(b"\r\n", b"\n")


# --- Django's own backends --------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP() as server:
        yield server
    assert server.violations == []


def django_smtp(server: ScriptedSMTP, **options: str) -> BackendTransport:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    transport = open_transport(
        f"backend:django.core.mail.backends.smtp.EmailBackend"
        f"?host=127.0.0.1&port={server.port}&{query}"
    )
    assert isinstance(transport, BackendTransport)
    return transport


def test_djangos_smtp_backend_hands_over_envelope_and_bytes(server: ScriptedSMTP) -> None:
    outcome = django_smtp(server).send(make_message())

    assert outcome == Accepted()
    (message,) = server.messages
    assert (message.envelope_sender, message.recipient) == ("b-1@bounce.example", ANN)
    assert message.data == DATA


@pytest.mark.parametrize(
    ("act", "expected", "reply_code"),
    [
        (defer("450 4.2.0 Greylisted", "rcpt"), "recipient: greylisted", 450),
        (refuse("550 5.1.1 No such user", "rcpt"), "Rejected", 550),
        (refuse("550 5.7.1 No", "mail"), "Rejected", 550),
        (refuse("554 5.7.1 No", "data"), "Rejected", 554),
        (refuse("554 5.7.1 No", "dot"), "Rejected", 554),
        (defer("451 4.3.0 Later", "dot"), "recipient: other", 451),
        (closing("mail"), "transport: connection", 421),
        (closing("rcpt"), "transport: connection", 421),
        (refuse("554 5.7.1 No", "connect"), "transport: connection", None),
        (drop("connect"), "transport: connection", None),
        (drop("dot"), "InDoubt", None),
        (drop("rcpt"), "InDoubt", None),  # it raises the same for both
        (garbage("dot"), "InDoubt", None),
        (Act("data", "250 OK"), "InDoubt", None),
    ],
)
def test_djangos_smtp_backend_fails_as_the_server_says(
    server: ScriptedSMTP, act: Act, expected: str, reply_code: int | None
) -> None:
    server.script(act)

    outcome = django_smtp(server).send(make_message())

    assert (kind(outcome), outcome.reply_code) == (expected, reply_code)


def test_a_backend_whose_server_is_not_there_defers_by_transport(server: ScriptedSMTP) -> None:
    transport = django_smtp(server)
    server.close()

    assert kind(transport.send(make_message())) == "transport: connection"


def test_a_backend_with_a_wrong_password_defers_by_transport() -> None:
    with ScriptedSMTP(users={"user": "right"}) as server:
        outcome = django_smtp(server, username="user", password="wr0ng").send(make_message())

    assert kind(outcome) == "transport: authentication"
    assert "wr0ng" not in repr(outcome)


def test_an_unsafe_address_never_reaches_a_backend(server: ScriptedSMTP) -> None:
    outcome = django_smtp(server).send(make_message("a@x.example,b@x.example\n"))

    assert isinstance(outcome, Rejected)
    assert server.connections == 0


def test_djangos_file_backend_writes_the_message(tmp_path: Path, settings: Settings) -> None:
    settings.EMAIL_FILE_PATH = str(tmp_path)
    transport = open_transport("backend:django.core.mail.backends.filebased.EmailBackend")

    assert transport.send(make_message()) == Accepted()

    (path,) = tmp_path.iterdir()
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert parsed["Message-ID"] == "<abc@example.com>"


class CountingBackend(BaseEmailBackend):
    """Answers what the test asks for."""

    def __init__(self, answer: object = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.answer = answer

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (1, "Accepted"),
        (0, "Rejected"),
        (None, "InDoubt"),
        (TimeoutError("timed out"), "InDoubt"),
        (ConnectionResetError("reset"), "InDoubt"),
        (ConnectionRefusedError("refused"), "transport: connection"),
        (smtplib.SMTPServerDisconnected("lost"), "InDoubt"),
        (smtplib.SMTPNotSupportedError("no SMTPUTF8"), "Rejected"),
        (smtplib.SMTPDataError(-1, b"what?"), "InDoubt"),
        (smtplib.SMTPResponseException(500, "Line too long."), "Rejected"),
        (KeyError("bug of the backend"), "InDoubt"),
        (requests.ConnectTimeout("never connected"), "InDoubt"),
    ],
)
def test_what_a_backend_answers_is_an_outcome(answer: object, expected: str) -> None:
    outcome = BackendTransport(CountingBackend(answer)).send(make_message())

    assert kind(outcome) == expected


class Three:
    """A source of three messages."""

    def __init__(self) -> None:
        self.left = [2, 1, 0]
        self.begun: list[int] = []
        self.answers: dict[int, str] = {}

    def next(self) -> tuple[int, Outgoing] | None:
        return (self.left.pop(), make_message()) if self.left else None

    def begin(self, key: int) -> bool:
        self.begun.append(key)
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        assert key in self.begun
        self.answers[key] = kind(outcome)


@pytest.mark.parametrize("answer", [1, 0, None])
def test_a_backend_hands_over_all_of_a_source(answer: int | None) -> None:
    source = Three()

    stopped = BackendTransport(CountingBackend(answer)).send_many(source, connections=5)

    assert stopped is None
    assert list(source.answers) == [0, 1, 2]


def test_a_backend_that_is_not_there_stops_at_the_first_message() -> None:
    source = Three()
    backend = CountingBackend(ConnectionRefusedError("refused"))

    stopped = BackendTransport(backend).send_many(source, connections=5)

    assert stopped
    assert kind(stopped) == "transport: connection"
    assert (source.answers, source.left) == ({0: "transport: connection"}, [2, 1])


# --- Anymail ----------------------------------------------------------------------------------

MAILGUN_OK = {"id": "<1.abc@example.com>", "message": "Queued. Thank you."}
BREVO_OK = {"messageId": "<1.abc@smtp-relay.example>"}


def mailgun(url: str, **options: str) -> BackendTransport:
    query = "".join(f"&{name}={value}" for name, value in options.items())
    transport = open_transport(
        f"backend:anymail.backends.mailgun.EmailBackend?api_key=key%2B1&api_url={url}{query}"
    )
    assert isinstance(transport, BackendTransport)
    return transport


def test_a_provider_gets_one_message_for_one_recipient() -> None:
    with ScriptedHTTP(Answer(200, MAILGUN_OK)) as api:
        transport = mailgun(api.url)
        outcome = transport.send(make_message())
        transport.close()

    assert outcome == Accepted(diagnostic="queued <1.abc@example.com>")
    (request,) = api.requests
    # Mailgun takes the domain of the envelope sender.
    assert request.path == "/bounce.example/messages"
    for text in (b'"Ann, the first" <ann@example.org>', "Grüße".encode(), b"List-Unsubscribe"):
        assert text in request.body


def test_a_provider_that_knows_no_envelope_sender_gets_the_message_without_it() -> None:
    with ScriptedHTTP(Answer(201, BREVO_OK)) as api:
        transport = open_transport(
            f"backend:anymail.backends.brevo.EmailBackend?api_key=k&api_url={api.url}/"
        )
        identified = b"Message-ID: <abc@example.com>\r\n" + PLAIN
        outcomes = [transport.send(make_message(data=identified)) for _ in range(2)]
        transport.close()

    assert {kind(outcome) for outcome in outcomes} == {"Accepted"}
    assert [request.json["to"] for request in api.requests] == [[{"email": ANN}]] * 2
    headers = [json.loads(request.body)["headers"] for request in api.requests]
    assert {each["X-Mailin-custom"] for each in headers} == {'{"delivery": "abc"}'}


def test_a_provider_that_knows_no_metadata_gets_the_message_without_it() -> None:
    with ScriptedHTTP(Answer(202, {}, headers=(("X-Message-Id", "64c0ffee"),))) as api:
        transport = open_transport(
            f"backend:anymail.backends.mailersend.EmailBackend?api_token=k&api_url={api.url}/"
        )
        identified = b"Message-ID: <abc@example.com>\r\n" + PLAIN
        outcomes = [transport.send(make_message(data=identified)) for _ in range(2)]
        transport.close()

    assert outcomes == [Accepted(diagnostic="queued 64c0ffee")] * 2
    assert all(request.json["to"] == [{"email": ANN}] for request in api.requests)


def test_what_a_provider_cannot_carry_is_rejected_before_the_request() -> None:
    with ScriptedHTTP(Answer(201, BREVO_OK)) as api:
        transport = open_transport(
            f"backend:anymail.backends.brevo.EmailBackend?api_key=k&api_url={api.url}/"
        )
        outcome = transport.send(make_message(data=DATA))  # Brevo takes no inline images
        transport.close()

    assert isinstance(outcome, Rejected)
    assert "inline" in outcome.diagnostic
    assert api.requests == []


@pytest.mark.parametrize("written", ["a+b", "a%2Bb"])
def test_a_plus_in_a_key_is_a_plus(written: str) -> None:
    with ScriptedHTTP(Answer(200, MAILGUN_OK)) as api:
        transport = open_transport(
            f"backend:anymail.backends.mailgun.EmailBackend?api_url={api.url}&api_key={written}"
        )
        transport.send(make_message())
        transport.close()

    authorization = api.requests[0].headers["Authorization"]
    assert base64.b64decode(authorization.removeprefix("Basic ")) == b"api:a+b"


def test_settings_of_anymail_hold_as_well(settings: Settings) -> None:
    with ScriptedHTTP(Answer(200, MAILGUN_OK)) as api:
        settings.ANYMAIL = {"MAILGUN_API_KEY": "key", "MAILGUN_API_URL": api.url}
        transport = open_transport("backend:anymail.backends.mailgun.EmailBackend")

        assert kind(transport.send(make_message())) == "Accepted"
        transport.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(400, {"message": "to parameter is not a valid address"}), "Rejected"),
        (Answer(401, {"message": "Forbidden"}), "transport: authentication"),
        (Answer(402, {"message": "Pay first"}), "transport: authentication"),
        (Answer(403, {"message": "Not you"}), "transport: authentication"),
        (Answer(404, {"message": "Domain not found"}), "transport: authentication"),
        (Answer(413, {"message": "Too large"}), "Rejected"),
        (Answer(422, {"message": "Unprocessable"}), "Rejected"),
        (Answer(429, {"message": "Too many requests"}), "transport: rate_limited"),
        (Answer(500, {"message": "Oops"}), "InDoubt"),
        (Answer(502, {"message": "Bad gateway"}), "InDoubt"),
        (Answer(503, {"message": "Unavailable"}), "transport: connection"),
        (Answer(504, {"message": "Gateway timeout"}), "InDoubt"),
        (Answer(200, ["what?"]), "InDoubt"),
        (Answer(hang_up=True), "InDoubt"),
    ],
)
def test_a_providers_answer_is_an_outcome(answer: Answer, expected: str) -> None:
    with ScriptedHTTP(answer) as api:
        transport = mailgun(api.url)
        outcome = transport.send(make_message())
        transport.close()

    assert kind(outcome) == expected
    assert outcome.reply_code is None
    assert str(answer.status) in outcome.diagnostic or answer.status == 200
    assert "key+1" not in outcome.diagnostic


def test_a_provider_that_does_not_answer_leaves_doubt(settings: Settings) -> None:
    settings.ANYMAIL = {"REQUESTS_TIMEOUT": 0.05}
    with ScriptedHTTP(Answer(hold=threading.Event())) as api:
        transport = mailgun(api.url)
        outcome = transport.send(make_message())
        transport.close()

    assert isinstance(outcome, InDoubt)
    assert "timed out" in outcome.diagnostic


def test_a_provider_that_is_not_there_defers_by_transport() -> None:
    with ScriptedHTTP(Answer()) as api:
        url = api.url

    assert kind(mailgun(url).send(make_message())) == "transport: connection"


@pytest.mark.parametrize("url", ["https://no-such-host.invalid/v3", "no-scheme", "ftp://x.invalid"])
def test_an_api_url_that_leads_nowhere_defers_by_transport(url: str) -> None:
    assert kind(mailgun(url).send(make_message())) == "transport: connection"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("sent", "Accepted"),
        ("queued", "Accepted"),
        ("unknown", "Accepted"),
        ("invalid", "Rejected"),
        ("rejected", "Rejected"),
        ("failed", "Rejected"),
    ],
)
@pytest.mark.parametrize("options", ["", "?ignore_recipient_status=1"])
def test_the_status_of_the_recipient_is_the_outcome(
    monkeypatch: pytest.MonkeyPatch, status: str, expected: str, options: str
) -> None:
    mail.outbox = []
    answer = {"recipient_status": {ANN: AnymailRecipientStatus("id-1", status)}}
    monkeypatch.setattr(AnymailMessage, "anymail_test_response", answer, raising=False)
    transport = open_transport(f"backend:anymail.backends.test.EmailBackend{options}")

    assert kind(transport.send(make_message())) == expected
    sent: Any = mail.outbox[0]
    assert sent.anymail_test_params["envelope_sender"] == "b-1@bounce.example"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "ThrottlingException", "transport: rate_limited"),
        (400, "TooManyRequestsException", "transport: rate_limited"),
        (400, "SendingPausedException", "transport: authentication"),
        (400, "MessageRejected", "Rejected"),
        (400, "BadRequestException", "Rejected"),
        (403, "AccessDeniedException", "transport: authentication"),
        (500, "InternalFailure", "InDoubt"),
    ],
)
def test_amazons_exceptions_are_outcomes(status: int, code: str, expected: str) -> None:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}

    assert kind(outcome_of(AnymailAPIError("An error occurred", response=response))) == expected


def test_amazon_that_was_never_reached_defers_by_transport() -> None:
    class EndpointConnectionError(Exception):  # as botocore names it
        pass

    error = AnymailAPIError("Could not connect to the endpoint URL")
    error.__cause__ = EndpointConnectionError()

    assert kind(outcome_of(error)) == "transport: connection"


def test_a_host_without_route_defers_by_transport() -> None:
    no_route = urllib3.exceptions.NewConnectionError(None, "No route to host")  # type: ignore[arg-type]
    error = AnymailRequestsAPIError("Error posting")
    error.__cause__ = requests.ConnectionError(
        urllib3.exceptions.MaxRetryError(None, "/", no_route)  # type: ignore[arg-type]
    )

    assert kind(outcome_of(error)) == "transport: connection"


def test_a_request_that_failed_without_an_answer_is_in_doubt() -> None:
    assert kind(outcome_of(AnymailRequestsAPIError("Error posting"))) == "InDoubt"
