"""The mail catcher as a person starts it: its own process, real SMTP in, real pages out."""

import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from config.catcher.caught import Caught, decoded, text_of
from config.catcher.store import Store

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "manage.py", "mail_catcher"]
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Catcher:
    process: subprocess.Popen[str]
    smtp_port: int
    http_port: int

    def send(
        self, data: bytes | EmailMessage, *recipients: str, sender: str = "b@x.example"
    ) -> None:
        content = data.as_bytes(policy=SMTP) if isinstance(data, EmailMessage) else data
        with smtplib.SMTP("127.0.0.1", self.smtp_port) as client:
            client.sendmail(sender, recipients or ("ann@example.org",), content)

    def open(self, path: str, method: str = "GET", **headers: str) -> Page:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{path}",
            method=method,
            headers=headers,
            data=b"" if method == "POST" else None,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
                return Page(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, dict(error.headers), error.read())


@contextmanager
def running(*arguments: str) -> Iterator[Catcher]:
    process = subprocess.Popen(
        [*COMMAND, "--smtp-port", "0", "--http-port", "0", *arguments],
        cwd=ROOT,
        # A database that is not there: the catcher needs none.
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"smtp://.*:(\d+), showing http://.*:(\d+)/", line)
        assert found, line + process.communicate()[1]
        yield Catcher(process, int(found[1]), int(found[2]))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def shared() -> Iterator[Catcher]:
    with running("--keep", "120") as catcher:
        yield catcher


@pytest.fixture
def catcher(shared: Catcher) -> Catcher:
    shared.open("/delete", "POST")
    return shared


def make_message(subject: str = "Grüße aus dem Watt 🐦", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = headers.get("From", "Zoë <news@example.com>")
    message["To"] = headers.get("To", "Ann <ann@example.org>")
    message.set_content("Schöne Grüße,\n<b>kein HTML</b>\n")
    message.add_alternative('<h1>Grüße</h1><img src="cid:logo">', subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG\r\n\x1a\n", "image", "png", cid="<logo>")  # type: ignore[index, union-attr]
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename='a"é.pdf')
    return message


def newest(catcher: Catcher) -> int:
    return int(catcher.open("/api/messages").json["messages"][0]["id"])


class Tags(HTMLParser):
    """The elements of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def names(self) -> set[str]:
        return {tag for tag, _ in self.found}


# --- the list ---------------------------------------------------------------------------------


def test_a_caught_message_is_on_the_list(catcher: Catcher) -> None:
    catcher.send(make_message())

    page = catcher.open("/")

    assert page.status == 200
    for text in (
        "Grüße aus dem Watt 🐦",
        "Zoë &lt;news@example.com&gt;",
        "Ann",
        "<strong>1</strong>",
    ):
        assert text in page.text


def test_the_list_is_newest_first_and_in_pages(catcher: Catcher) -> None:
    for number in range(60):
        catcher.send(make_message(f"number {number:02}"))

    first, second = catcher.open("/"), catcher.open("/?page=2")

    assert re.findall(r"number (\d\d)", first.text) == [f"{n:02}" for n in range(59, 9, -1)]
    assert re.findall(r"number (\d\d)", second.text) == [f"{n:02}" for n in range(9, -1, -1)]
    assert 'href="/?page=2"' in first.text
    assert "Page 2 of 2" in second.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("watt", ["Grüße aus dem Watt"]),
        ("GR%C3%9C%C3%9FE", ["Grüße aus dem Watt"]),
        ("bob@", ["Other"]),
        ("other%20bob", ["Other"]),
        ("nothing", []),
        ("", ["Other", "Grüße aus dem Watt"]),
    ],
)
def test_a_search_looks_at_subject_from_and_to(
    catcher: Catcher, query: str, found: list[str]
) -> None:
    catcher.send(make_message("Grüße aus dem Watt"))
    catcher.send(make_message("Other", To="bob@example.org"), "bob@example.org")

    listed = catcher.open(f"/api/messages?q={query}").json

    assert [message["subject"] for message in listed["messages"]] == found
    assert listed["count"] == len(found)
    assert catcher.open(f"/?q={query}").text.count('class="subject"') == len(found)


def test_the_list_refreshes_by_itself_only_when_asked(catcher: Catcher) -> None:
    assert 'http-equiv="refresh"' not in catcher.open("/").text
    assert 'http-equiv="refresh"' in catcher.open("/?live=1").text


def test_only_the_last_messages_are_kept(catcher: Catcher) -> None:
    for number in range(125):
        catcher.send(b"Subject: %d\r\n\r\n" % number)

    listed = catcher.open("/api/messages?limit=1000").json

    assert listed["count"] == 120
    assert [message["subject"] for message in listed["messages"]][-1] == "5"


def test_post_deletes_all_and_get_does_not(catcher: Catcher) -> None:
    catcher.send(make_message())

    assert catcher.open("/delete").status == 404
    assert catcher.open("/api/messages").json["count"] == 1
    assert catcher.open("/delete", "POST").status == 200  # the list, after the redirect
    assert catcher.open("/api/messages").json["count"] == 0


# --- one message ------------------------------------------------------------------------------


def test_a_message_is_shown_as_html_text_headers_and_raw(catcher: Catcher) -> None:
    catcher.send(make_message(), "ann@example.org", sender="b-1@bounce.example")
    path = f"/messages/{newest(catcher)}"

    html, text = catcher.open(path), catcher.open(f"{path}/text")
    headers, raw = catcher.open(f"{path}/headers"), catcher.open(f"{path}/raw")

    (frame,) = [attributes for tag, attributes in Tags(html.text).found if tag == "iframe"]
    assert frame["src"] == f"{path}/body"
    assert "allow-scripts" not in (frame["sandbox"] or "")
    assert "b-1@bounce.example" in html.text
    assert "Schöne Grüße,\r\n&lt;b&gt;kein HTML&lt;/b&gt;" in text.text
    assert "<td>Grüße aus dem Watt 🐦</td>" in headers.text
    assert "Subject: =?utf-8?" in raw.text


def test_the_html_is_shut_off_from_the_pages(catcher: Catcher) -> None:
    catcher.send(make_message())
    path = f"/messages/{newest(catcher)}"

    body = catcher.open(f"{path}/body")

    policy = body.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert "<h1>Grüße</h1>" in body.text
    assert f'<img src="{path}/parts/2">' in body.text
    assert catcher.open(f"{path}/parts/2").body == b"\x89PNG\r\n\x1a\n"


def test_an_attachment_is_saved_under_its_name(catcher: Catcher) -> None:
    catcher.send(make_message())

    part = catcher.open(f"/messages/{newest(catcher)}/parts/3")

    assert part.body == b"%PDF-"
    assert part.headers["Content-Type"] == "application/octet-stream"
    assert part.headers["Content-Disposition"] == "attachment; filename*=UTF-8''a%22%C3%A9.pdf"


def test_a_message_is_saved_byte_by_byte(catcher: Catcher) -> None:
    data = make_message().as_bytes(policy=SMTP) + b".\r\n..\r\n"
    catcher.send(data)

    saved = catcher.open(f"/messages/{newest(catcher)}.eml")

    assert saved.body == data
    assert saved.headers["Content-Type"] == "message/rfc822"


def test_a_message_is_also_json(catcher: Catcher) -> None:
    catcher.send(make_message(), "ann@example.org", "bob@example.org", sender="")

    message = catcher.open(f"/api/messages/{newest(catcher)}").json

    assert message["envelope_sender"] == ""
    assert message["recipients"] == ["ann@example.org", "bob@example.org"]
    assert message["subject"] == "Grüße aus dem Watt 🐦"
    assert ["To", "Ann <ann@example.org>"] in message["headers"]
    assert message["text"].startswith("Schöne Grüße")
    assert [part["content_type"] for part in message["attachments"]] == [
        "image/png",
        "application/pdf",
    ]


def test_a_message_beyond_ascii_with_smtputf8_is_caught(catcher: Catcher) -> None:
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port) as client:
        client.sendmail(
            "b@x.example",
            ["josé@example.org"],
            "Subject: Grüße\r\n\r\nÉ\r\n".encode(),
            mail_options=["SMTPUTF8", "BODY=8BITMIME"],
        )

    message = catcher.open(f"/api/messages/{newest(catcher)}").json

    assert (message["subject"], message["recipients"]) == ("Grüße", ["josé@example.org"])


@pytest.mark.parametrize(
    "path", ["/messages/999999", "/messages/999999/body", "/messages/999999.eml", "/nothing",
             "/messages/999999/parts/0", "/api/messages/999999", "/../manage.py", "/messages/x"]
)  # fmt: skip
def test_what_is_not_there_is_a_404(catcher: Catcher, path: str) -> None:
    assert catcher.open(path).status == 404


# --- hostile messages -------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["", "/html", "/text", "/headers", "/raw"])
def test_nothing_in_a_message_becomes_part_of_the_page(catcher: Catcher, view: str) -> None:
    message = make_message(ATTACK, From=f'"{ATTACK.replace(chr(34), "")}" <x@x.example>')
    message["X-<b>Odd</b>"] = ATTACK
    message.add_attachment(ATTACK.encode(), maintype="text", subtype="html", filename=ATTACK)
    catcher.send(message, sender='"<b>"@x.example')

    pages = [catcher.open("/"), catcher.open(f"/messages/{newest(catcher)}{view}")]

    for page in pages:
        assert page.status == 200
        assert Tags(page.text).names().isdisjoint({"script", "img", "b"})
        assert not any("onerror" in attributes for _, attributes in Tags(page.text).found)
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_an_html_attachment_is_never_shown_as_a_page(catcher: Catcher) -> None:
    message = make_message()
    message.add_attachment(ATTACK.encode(), maintype="text", subtype="html", filename="a.html")
    catcher.send(message)

    part = catcher.open(f"/messages/{newest(catcher)}/parts/4")

    assert part.headers["Content-Type"] == "application/octet-stream"
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in part.headers["Content-Security-Policy"]


BROKEN = [
    b"",
    b"\r\n",
    b"no header at all\r\n",
    b"Subject: =?utf-8?b?####?=\r\n\r\n",
    b"Subject: =?no-such-charset?q?x=FF?=\r\n\r\n",
    b"Subject: =?utf-8?q?=FF=FE?= \xff\xfe\r\n\r\n\xff\xfe\r\n",
    b"Subject: =?utf-8?q?a?= \\ud800\r\n\r\n",
    b"Subject: \xc3\xa9\r\nContent-Type: text/plain; charset=\xff\r\n\r\n\xc3\xa9\r\n",
    b"Content-Type: text/plain; charset=undefined\r\n\r\nx\r\n",
    b"Content-Type: text/plain; charset=idna\r\n\r\nxn--\xff\r\n",
    b"Content-Type: text/html; charset=rot13\r\n\r\nx\r\n",
    b"Content-Type: multipart/mixed\r\n\r\nno boundary\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n",
    b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n",
    b"Content-Type: image/png; name*0*=utf-8''%FF; name*2=x\r\nContent-ID:\r\n\r\nx\r\n",
    b"Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n",
]


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_message_is_still_shown(catcher: Catcher, data: bytes) -> None:
    catcher.send(data)
    path = f"/messages/{newest(catcher)}"

    views = ["", "/html", "/text", "/headers", "/raw", ".eml"]
    statuses = [catcher.open(path + view).status for view in views]

    assert statuses == [200] * len(views)
    assert catcher.open(f"/api{path}").status == 200
    assert catcher.open("/").status == 200


def test_a_message_nested_too_deep_to_parse_can_be_saved(catcher: Catcher) -> None:
    depth = 3000
    data = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(depth)
    )
    catcher.send(data)
    path = f"/messages/{newest(catcher)}"

    assert catcher.open("/").status == 200
    assert catcher.open(path).status in {200, 500}
    assert catcher.open(f"{path}.eml").body == data
    assert catcher.open("/healthz").status == 200


def test_a_message_above_ten_megabytes_is_refused(catcher: Catcher) -> None:
    line = b"x" * 98 + b"\r\n"

    with pytest.raises(smtplib.SMTPResponseException) as refused:
        catcher.send(b"Subject: large\r\n\r\n" + line * (11 * 1024 * 1024 // len(line)))

    assert refused.value.smtp_code == 552


# --- other sites in the same browser ----------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "localhost.evil.example"])
def test_a_site_that_gives_its_name_our_address_reads_nothing(catcher: Catcher, host: str) -> None:
    catcher.send(make_message())

    assert catcher.open("/api/messages", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8025", "127.0.0.1:1", "[::1]:8025"])
def test_the_names_of_this_machine_are_answered(catcher: Catcher, host: str) -> None:
    assert catcher.open("/healthz", Host=host).text == "ok\n"


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_site_cannot_delete(catcher: Catcher, origin: str) -> None:
    catcher.send(make_message())

    assert catcher.open("/delete", "POST", Origin=origin).status == 403
    assert catcher.open("/api/messages").json["count"] == 1


def test_our_own_form_deletes(catcher: Catcher) -> None:
    catcher.send(make_message())

    catcher.open("/delete", "POST", Origin=f"http://127.0.0.1:{catcher.http_port}")

    assert catcher.open("/api/messages").json["count"] == 0


# --- the process ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_with_open_connections(number: signal.Signals) -> None:
    with running() as catcher:
        smtp = smtplib.SMTP("127.0.0.1", catcher.smtp_port)
        web = socket.create_connection(("127.0.0.1", catcher.http_port))

        catcher.process.send_signal(number)
        _, errors = catcher.process.communicate(timeout=30)

        assert (catcher.process.returncode, errors) == (0, "")
        smtp.close()
        web.close()


@pytest.mark.parametrize("option", ["--smtp-port", "--http-port"])
def test_a_busy_port_is_one_clear_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        other = {"--smtp-port": "--http-port", "--http-port": "--smtp-port"}[option]

        done = subprocess.run(
            [*COMMAND, option, port, other, "0"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert port in done.stderr
    assert option in done.stderr


def test_it_listens_on_loopback_only(shared: Catcher) -> None:
    # Every address of 127.0.0.0/8 is this machine's; a server on all addresses would answer.
    for port in (shared.smtp_port, shared.http_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))


# --- values -----------------------------------------------------------------------------------


def test_the_store_holds_a_bounded_number_of_bytes() -> None:
    store = Store(keep=100, max_bytes=10)
    for size in (4, 4, 4):
        store.add(at=timezone.now(), envelope_sender="", recipients=(), data=b"x" * size)

    assert [caught.id for caught in store.search("")] == [3, 2]


def test_neighbours_are_the_next_messages_that_are_still_there() -> None:
    store = Store(keep=3)
    for _ in range(4):
        store.add(at=timezone.now(), envelope_sender="", recipients=(), data=b"")

    assert store.neighbours(3) == (4, 2)
    assert store.neighbours(2) == (3, None)
    assert store.neighbours(4) == (None, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= from =?iso-8859-1?q?K=F6ln?=", "Grüße from Köln"),
        ("plain\r\n folded", "plain folded"),
        ("=?utf-8?q?=FF?=", "\ufffd"),
        ("=?nonsense?q?a=C3=A9?=", "aé"),
    ],
)
def test_a_header_is_read_as_far_as_it_can_be(value: str, text: str) -> None:
    assert decoded(value) == text


def test_text_in_a_charset_that_is_none_is_read_as_utf8() -> None:
    assert text_of("é".encode(), "klingon") == "é"
    assert text_of("é".encode("latin-1"), "latin-1") == "é"


def test_the_first_of_two_subjects_is_the_one_that_is_shown() -> None:
    caught = Caught(
        1, timezone.now(), "", ("a@x.example",), b"Subject: one\r\nSubject: two\r\n\r\n"
    )

    assert caught.summary == {"subject": "one", "from": "", "to": "a@x.example"}


@pytest.mark.parametrize(
    ("asked", "language"),
    [("vi-VN,vi;q=0.9,en;q=0.8", "vi"), ("de,en;q=0.5", "en"), ("", "en")],
)
def test_its_pages_are_in_the_language_that_the_browser_asks_for(
    catcher: Catcher, asked: str, language: str
) -> None:
    page = catcher.open("/", **{"Accept-Language": asked})

    assert f'<html lang="{language}">' in page.text
    assert ("Chưa có thư nào." in page.text) is (language == "vi")
