import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns.fetching import Fetcher
from campaigns.models import Route, Transport
from campaigns.preflight import one_click, senders
from campaigns.preflight.relays import Prober
from campaigns.preflight.senders import World
from campaigns.sending.transports import relay_of
from campaigns.services import set_transport_url
from tests.certificates import TLSPair, make_tls_pair
from tests.dns_server import DNSServer
from tests.factories import make_sender
from tests.smtp_server import ScriptedSMTP, refuse
from tracking import links
from tracking.tokens import NOBODY

LOOPBACK = "2130706433"  # an address of this machine that is not known as one by its name


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLSPair:
    return make_tls_pair(tmp_path_factory.mktemp("tls"))


# --- relays -----------------------------------------------------------------------------------


def probed(url: str, prober: Prober) -> tuple[str, list[tuple[str, str]], str]:
    relay = relay_of(url)
    assert relay is not None
    name, found = prober.ask(relay, name="transport Ours")
    said = " ".join(str(each) for each in found)
    return name, [(each.severity.value, each.name) for each in found], said


def test_a_relay_that_encrypts_and_shows_a_certificate_that_is_trusted_is_well(
    tls: TLSPair,
) -> None:
    with ScriptedSMTP(tls=tls.server) as server:
        by_starttls = probed(f"{server.url}?starttls=required", Prober(tls.client))
    with ScriptedSMTP(tls=tls.server, implicit_tls=True) as server:
        by_tls = probed(server.url, Prober(tls.client))
    with ScriptedSMTP() as server:
        of_this_machine = probed(server.url, Prober())

    assert by_starttls == by_tls == of_this_machine == ("scripted.test", [], "")
    assert server.lines == [server.lines[0], "QUIT"]
    assert server.messages == []


def test_a_relay_without_encryption_or_with_a_certificate_of_nobodys_is_an_error(
    tls: TLSPair,
) -> None:
    far, near = Prober(is_public=lambda _: True), Prober(is_public=lambda _: False)
    with ScriptedSMTP() as server:
        demanded = probed(f"{server.url}?starttls=required", far)
        plain = probed(f"smtp://{LOOPBACK}:{server.port}", far)
        of_this_network = probed(f"smtp://{LOOPBACK}:{server.port}", near)
    with ScriptedSMTP(tls=tls.server) as server:
        untrusted = probed(f"{server.url}?starttls=required", Prober())
        switched_off = probed(f"smtp://{LOOPBACK}:{server.port}?starttls=never", far)

    assert demanded[1] == untrusted[1] == [("error", "relay-tls")]
    assert "offers no STARTTLS" in demanded[2]
    assert "certificate verify failed" in untrusted[2]
    assert plain[1] == switched_off[1] == [("error", "relay-plain")]
    assert "offers no STARTTLS" in plain[2]
    assert "its URL says starttls=never" in switched_off[2]
    assert of_this_network[1] == [("advice", "relay-plain")]


def test_a_relay_that_is_away_is_a_warning_and_one_that_lets_nobody_in_an_error() -> None:
    with ScriptedSMTP(users={"ann": "right"}) as server:
        let_in = probed(f"smtp://ann:right@127.0.0.1:{server.port}", Prober())
        kept_out = probed(f"smtp://ann:wrong@127.0.0.1:{server.port}", Prober())
        server.script(refuse("421 4.3.2 Too busy", phase="connect"))
        busy = probed(f"smtp://ann:right@127.0.0.1:{server.port}", Prober())
    away = probed(server.url, Prober())

    assert let_in[1] == []
    assert kept_out[1] == [("error", "relay-login")]
    assert "wrong" not in kept_out[2]
    assert busy[1] == away[1] == [("warning", "relay-away")]


@pytest.mark.django_db
def test_the_relays_that_the_sender_goes_by_are_asked_and_named(settings: Settings) -> None:
    sender = make_sender("The Shore <news@shore.org>")
    zone = {" ns": ["a.root-servers.net."], "scripted.test a": ["203.0.113.8"]}
    settings.EGRESS_ADDRESSES = ("203.0.113.7",)
    asked_about = {"helo-name", "relay-tls", "relay-url"}

    def ask() -> list[tuple[str, str]]:
        with DNSServer(zone) as server:
            world = World(resolver=server.resolver, spamd="")
            found = senders.check(sender, world, now=timezone.now())
        return [(each.name, each.message) for each in found if each.name in asked_about]

    with ScriptedSMTP() as installation, ScriptedSMTP() as own:
        settings.EMAIL_URL = installation.url
        by_the_installation = ask()
        transport = Transport.objects.create(name="Ours")
        Route.objects.create(sender=sender, transport=transport)
        set_transport_url(transport, url=f"{own.url}?starttls=required", now=timezone.now())
        by_its_own = ask()
        zone["scripted.test a"] = ["203.0.113.7"]
        set_transport_url(transport, url=own.url, now=timezone.now())
        mended = ask()
    Transport.objects.update(encrypted_url="x")
    [(unreadable, _)] = ask()

    calls_itself = "the relay calls itself scripted.test, which leads to 203.0.113.8"
    assert by_the_installation == [("helo-name", calls_itself)]
    [(name, said)] = by_its_own
    assert name == "relay-tls"
    assert said.startswith("the relay of transport Ours cannot be reached by TLS: The next hop")
    assert mended == []
    assert unreadable == "relay-url"
    assert installation.connections == 1


# --- the unsubscribe button -------------------------------------------------------------------


class Site(BaseHTTPRequestHandler):
    answers: dict[str, tuple[int, bytes]] = {
        "/u/ours": (404, links.UNKNOWN.encode()),
        "/u/else": (404, b"Not found"),
        "/u/moved": (301, b""),
        "/u/login": (403, b"Who are you?"),
        "/u/parked": (200, b"This domain is for sale"),
    }
    asked: list[tuple[str, str, bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Content-Type"], body))
        status, words = self.answers[self.path]
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/u/ours")
        self.end_headers()
        self.wfile.write(words)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tls: TLSPair) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as web:
        web.socket = tls.server.wrap_socket(web.socket, server_side=True)
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{web.server_address[1]}"
        web.shutdown()
        thread.join()


def pressed(url: str, context: ssl.SSLContext, **changes: object) -> list[tuple[str, str]]:
    fetcher = Fetcher(is_allowed=lambda _: True, ports=range(65_536), context=context)
    return [(each.severity.value, each.name) for each in one_click.check(url, fetcher=fetcher)]


def test_the_unsubscribe_button_must_come_through_to_godwit(site: str, tls: TLSPair) -> None:
    def press(path: str) -> list[tuple[str, str]]:
        return pressed(f"{site}/u/{path}", tls.client)

    assert press("ours") == []
    assert press("moved") == [("error", "site-redirects")]
    assert press("else") == press("login") == press("parked") == [("error", "site-astray")]
    assert Site.asked[0] == (
        "/u/ours", "application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click",
    )  # fmt: skip
    assert [path for path, _, _ in Site.asked].count("/u/ours") == 1


def test_a_site_is_asked_by_a_certificate_that_is_trusted_and_never_in_a_private_network(
    site: str, tls: TLSPair
) -> None:
    untrusted = pressed(f"{site}/u/ours", ssl.create_default_context())
    gone = pressed("https://127.0.0.1:1/u/ours", tls.client)
    Site.asked.clear()
    [private] = one_click.check(f"{site}/u/ours", fetcher=Fetcher(ports=range(65_536)))

    assert untrusted == [("error", "site-certificate")]
    assert gone == [("warning", "site-unreached")]
    assert (private.severity.value, private.name) == ("advice", "site-untried")
    assert "private network" in private.message
    assert pressed("http://shore.org/u/ours", tls.client) == []
    assert pressed("https://localhost/u/ours", tls.client) == []
    assert Site.asked == []


@pytest.mark.django_db
def test_what_the_button_of_a_link_to_nobody_answers_is_what_the_preflight_looks_for(
    client: Client,
) -> None:
    url = links.unsubscribe_url(NOBODY)
    path = "/" + url.partition("://")[2].partition("/")[2]

    pressed_by_a_program = client.post(path, {"List-Unsubscribe": "One-Click"})
    by_a_person = client.post(path, {"List-Unsubscribe": "One-Click", "scope": "list"})

    assert pressed_by_a_program.status_code == by_a_person.status_code == 404
    assert pressed_by_a_program.content.decode() == links.UNKNOWN
    assert "<h1>" in by_a_person.content.decode()
