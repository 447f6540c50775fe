import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from campaigns.fetching import Fetcher, is_public
from campaigns.preflight import links

PAGES = {"/": 200, "/gone": 404, "/down": 500, "/members": 401}


class Pages(BaseHTTPRequestHandler):
    asked: list[tuple[str, str]] = []

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.asked.append((self.command, self.path))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
        elif self.path.startswith("/around"):
            self.send_response(301)
            self.send_header("Location", f"/around{len(self.path)}{self.path[-5:]}")
        elif self.path == "/no-head" and self.command == "HEAD":
            self.send_response(405)
        else:
            self.send_response(PAGES.get(self.path, 200))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Pages.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield web
        web.shutdown()
        thread.join()


def port(server: ThreadingHTTPServer) -> int:
    return int(server.server_address[1])


@pytest.fixture
def fetcher(server: ThreadingHTTPServer) -> Fetcher:
    """One that takes loopback for the internet."""
    return Fetcher(
        is_allowed=lambda address: address.is_loopback,
        resolve=lambda host, _: ["10.0.0.1" if host == "inside.org" else "127.0.0.1"],
        ports={port(server)},
    )


@pytest.fixture
def site(server: ThreadingHTTPServer) -> str:
    return f"http://shore.org:{port(server)}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.2.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fd00::1",
        "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_address_of_this_network_is_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "0"],
)
def test_by_default_nothing_of_this_machine_is_asked(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        port = listening.getsockname()[1]
        answer = Fetcher(ports={port}).ask(f"http://{host}:{port}/")
        with pytest.raises(BlockingIOError):
            listening.accept()

    assert answer.status == 0
    assert "private network" in str(answer.problem)


@pytest.mark.parametrize(
    ("path", "status"), [("/", 200), ("/gone", 404), ("/down", 500), ("/members", 401)]
)
def test_a_link_is_asked_for(path: str, status: int, fetcher: Fetcher, site: str) -> None:
    assert fetcher.ask(site + path).status == status


def test_a_server_that_knows_no_head_is_asked_by_get(fetcher: Fetcher, site: str) -> None:
    answer = fetcher.ask(f"{site}/no-head")

    assert answer.status == 200
    assert Pages.asked == [("HEAD", "/no-head"), ("GET", "/no-head")]


def test_a_redirect_is_followed(fetcher: Fetcher, site: str) -> None:
    assert fetcher.ask(f"{site}/to/{site}/gone").status == 404


def test_a_redirect_into_a_private_network_is_not_followed(fetcher: Fetcher, site: str) -> None:
    answer = fetcher.ask(f"{site}/to/http://inside.org:{site.rpartition(':')[2]}/secret")

    assert "private network" in str(answer.problem)
    assert len(Pages.asked) == 1


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://shore.org/", "ftp://shore.org"])
def test_a_redirect_to_no_web_page_is_not_followed(
    target: str, fetcher: Fetcher, site: str
) -> None:
    assert str(fetcher.ask(f"{site}/to/{target}").problem) == "it leads to no web page"


def test_five_redirects_are_followed_and_not_six(fetcher: Fetcher, site: str) -> None:
    answer = fetcher.ask(f"{site}/around")

    assert str(answer.problem) == "it redirects more than 5 times"
    assert len(Pages.asked) == 6


def test_another_port_is_not_asked(fetcher: Fetcher) -> None:
    assert str(fetcher.ask("http://shore.org:22/").problem) == "port 22 is not asked"


def test_a_name_with_one_private_address_is_not_asked(
    site: str, server: ThreadingHTTPServer
) -> None:
    fetcher = Fetcher(
        is_allowed=lambda address: address.is_loopback,
        resolve=lambda *_: ["127.0.0.1", "10.0.0.1"],
        ports={port(server)},
    )

    assert "private network" in str(fetcher.ask(site).problem)
    assert Pages.asked == []


def test_a_name_is_resolved_once_for_each_question(server: ThreadingHTTPServer, site: str) -> None:
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    fetcher = Fetcher(
        is_allowed=lambda address: address.is_loopback,
        resolve=lambda *_: answers.pop(0),
        ports={port(server)},
    )

    assert fetcher.ask(f"{site}/").status == 200  # the name leads elsewhere by now
    assert answers == [["10.0.0.1"]]


@contextmanager
def dripping() -> Iterator[int]:
    """Serve one connection, a byte at a time and never a whole answer."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.02):
                    try:
                        connection.send(b"H")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            over.set()
            thread.join()


def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    with dripping() as at:
        fetcher = Fetcher(
            is_allowed=lambda _: True, resolve=lambda *_: ["127.0.0.1"], ports={at}, deadline=0.2
        )
        answer = fetcher.ask(f"http://shore.org:{at}/")

    assert str(answer.problem) == "it did not answer in time"


def test_dead_links_are_named_and_a_host_is_asked_politely(fetcher: Fetcher, site: str) -> None:
    pauses: list[str] = []

    findings = links.check(
        [f"{site}/", f"{site}/gone", f"{site}/members", "https://never.example/"],
        ["{{ product.url }}"],
        fetcher=fetcher,
        pause=lambda: pauses.append("pause"),
    )

    assert [each.name for each in findings] == ["link-dead", "link-unclear", "link-unasked"]
    assert f"{site}/gone leads nowhere: it answers 404" in findings[0].message
    assert len(pauses) == 2


def test_of_very_many_links_some_are_asked_for_and_it_says_so(fetcher: Fetcher, site: str) -> None:
    urls = [f"https://{n}.example/" for n in range(links.MOST_LINKS + 1)]

    [finding] = links.check(urls, [], fetcher=fetcher, pause=lambda: None)

    assert finding.message.startswith("1 links were not asked for")


def test_a_host_that_is_silent_is_left_in_peace(fetcher: Fetcher) -> None:
    urls = [f"http://inside.org:{next(iter(fetcher.ports))}/{n}" for n in range(5)]

    findings = links.check(urls, [], fetcher=fetcher, pause=lambda: None)

    assert [each.name for each in findings] == ["link-dead"] * 3 + ["link-unasked"]
    assert findings[-1].message.startswith("2 links were not asked for")


def test_when_the_time_is_over_no_more_links_are_asked_for(fetcher: Fetcher, site: str) -> None:
    [finding] = links.check([f"{site}/"], [], fetcher=fetcher, seconds=0)

    assert finding.name == "link-unasked"
    assert Pages.asked == []
