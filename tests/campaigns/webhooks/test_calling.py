import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from campaigns.webhooks import calling
from campaigns.webhooks.calling import Line, Ways
from tests.campaigns.webhooks.steps import LOOPBACK
from tests.http_server import Answer, ScriptedHTTP


class Keeping(BaseHTTPRequestHandler):
    """Answers on connections that stay open, and notes from which port each request came."""

    protocol_version = "HTTP/1.1"
    ports: list[int] = []
    ends_after_each = False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.ports.append(self.client_address[1])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = self.ends_after_each

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def keeping() -> Iterator[str]:
    Keeping.ports, Keeping.ends_after_each = [], False
    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{web.server_address[1]}/"
        web.shutdown()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[ScriptedHTTP]:
    with ScriptedHTTP(Answer()) as server:
        yield server


def resolving(*addresses: str) -> Ways:
    return Ways((), lambda _host, _port: list(addresses))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"],
)
def test_no_call_goes_into_a_private_network(address: str) -> None:
    answer = Line("https://hooks.example.org/", resolving(address)).post(b"{}", {})

    assert answer.status is None
    assert "private network" in answer.words


def test_a_name_of_which_one_address_is_private_is_not_called() -> None:
    answer = Line("https://hooks.example.org/", resolving("1.1.1.1", "10.0.0.1")).post(b"{}", {})

    assert "private network" in answer.words


def test_an_address_in_the_url_itself_is_looked_at_as_well(receiver: ScriptedHTTP) -> None:
    answer = Line(receiver.url, Ways()).post(b"{}", {})

    assert "private network" in answer.words
    assert not receiver.requests


def test_a_name_that_means_another_address_a_moment_later_leads_nowhere_else(
    receiver: ScriptedHTTP,
) -> None:
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    ours = (ipaddress.ip_network("127.0.0.0/8"),)
    url = receiver.url.replace("127.0.0.1", "hooks.example.org")
    line = Line(url, Ways(ours, lambda _host, _port: next(answers)))

    first = line.post(b"{}", {})
    second = line.post(b"{}", {})

    assert first.is_success
    assert "private network" in second.words
    assert len(receiver.requests) == 1


def test_without_tls_nobody_is_called_but_in_networks_that_the_installation_names() -> None:
    answer = Line("http://hooks.example.org/", resolving("1.1.1.1")).post(b"{}", {})

    assert answer.status is None
    assert "private network" in answer.words


def test_a_redirect_is_not_followed(receiver: ScriptedHTTP) -> None:
    receiver.answer = Answer(302, headers=(("Location", "http://10.0.0.1/"),))

    answer = Line(receiver.url, LOOPBACK).post(b"{}", {})

    assert (answer.status, answer.is_success) == (302, False)
    assert len(receiver.requests) == 1


def test_of_a_long_answer_the_beginning_is_kept(receiver: ScriptedHTTP) -> None:
    receiver.answer = Answer(500, body="no\0 " * 100_000)

    answer = Line(receiver.url, LOOPBACK).post(b"{}", {})

    assert answer.status == 500
    assert len(answer.words) == 200
    assert "\0" not in answer.words


def test_who_does_not_answer_in_time_is_let_go_of(
    receiver: ScriptedHTTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "DEADLINE", 0.2)
    receiver.answer = Answer(hold=threading.Event())

    answer = Line(receiver.url, LOOPBACK).post(b"{}", {})

    assert answer.status is None
    assert "no answer" in answer.words


def test_who_hangs_up_has_not_taken_it(receiver: ScriptedHTTP) -> None:
    receiver.answer = Answer(hang_up=True)

    answer = Line(receiver.url, LOOPBACK).post(b"{}", {})

    assert answer.status is None
    assert answer.words


def test_one_connection_serves_call_after_call(keeping: str) -> None:
    line = Line(keeping, LOOPBACK)

    answers = [line.post(b"{}", {}) for _ in range(3)]
    line.close()

    assert [answer.words for answer in answers] == ["ok"] * 3
    assert len(set(Keeping.ports)) == 1


def test_a_connection_that_ended_while_it_waited_is_replaced(keeping: str) -> None:
    Keeping.ends_after_each = True
    line = Line(keeping, LOOPBACK)

    answers = [line.post(b"{}", {}) for _ in range(3)]
    line.close()

    assert [answer.status for answer in answers] == [200] * 3
    assert len(set(Keeping.ports)) == 3
