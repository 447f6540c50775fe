"""What is wrong with a next hop is said in one sentence, and the run goes on when it is cured."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Gate, Run
from campaigns.sending import session, waiting
from campaigns.sending.deliver import deliver
from tests.certificates import make_tls_pair
from tests.factories import make_campaign, make_list, make_recipients, make_run
from tests.smtp_server import ScriptedSMTP, refuse
from tracking.models import Delivery
from tracking.verify import disagreements

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
NOT_NOW = "550 5.4.5 Daily user sending limit exceeded"

Cure = Callable[[], object]
Trouble = Callable[[ExitStack, Path, Settings], Cure]


def wrong_password(stack: ExitStack, _: Path, settings: Settings) -> Cure:
    users = {"anna": "changed"}
    server = stack.enter_context(ScriptedSMTP(users=users))
    settings.EMAIL_URL = f"smtp://anna:secret@127.0.0.1:{server.port}"
    return lambda: users.update(anna="secret")


def nobody_listens(stack: ExitStack, _: Path, settings: Settings) -> Cure:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    return lambda: stack.enter_context(ScriptedSMTP(port=port))


def wrong_certificate(stack: ExitStack, folder: Path, settings: Settings) -> Cure:
    """The server shows one that nobody vouches for, and later the right one."""
    (folder / "trusted").mkdir()
    trusted = make_tls_pair(folder / "trusted")
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    patch.setenv("SSL_CERT_FILE", str(folder / "trusted" / "certificate.pem"))
    session._default_context.cache_clear()
    stack.callback(session._default_context.cache_clear)
    server = stack.enter_context(ScriptedSMTP(tls=make_tls_pair(folder).server))
    settings.EMAIL_URL = f"{server.url}?starttls=required"
    return lambda: setattr(server, "tls", trusted.server)


def over_quota(stack: ExitStack, _: Path, settings: Settings) -> Cure:
    server = stack.enter_context(ScriptedSMTP())
    server.script(refuse(NOT_NOW, "mail"))
    settings.EMAIL_URL = server.url
    return lambda: None


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def run(settings: Settings) -> Run:
    settings.TRANSPORT_WAIT_SECONDS, settings.BREAKER_SECONDS = 30, 600
    readers = make_list()
    make_recipients(3, mailing_list=readers)
    return make_run(make_campaign(lists=[readers]), now=NOW)


def send_all(run: Run, *, at: datetime) -> None:
    """Attempt whatever is open, as workers do that are woken for it."""
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    deliver(run.pk, ids, clock=lambda: at)


@pytest.mark.parametrize(
    ("trouble", "words", "wait"),
    [
        (wrong_password, "refused the user name or password (535 5.7.8", 30),
        (nobody_listens, "cannot be reached (", 30),
        (wrong_certificate, "has a certificate that is not trusted (", 30),
        (over_quota, "limits how much we may send (550 5.4.5", 600),
    ],
)
def test_a_run_waits_says_why_and_goes_on_by_itself_when_it_is_cured(
    run: Run,
    settings: Settings,
    stack: ExitStack,
    tmp_path: Path,
    trouble: Trouble,
    words: str,
    wait: int,
) -> None:
    cure = trouble(stack, tmp_path, settings)
    send_all(run, at=NOW)
    again = NOW + timedelta(seconds=wait)

    sentence = waiting.why(run, now=NOW)

    assert sentence.startswith(f"Waiting: the server of EMAIL_URL {words}")
    assert sentence.endswith(f"; next try {again:%H:%M:%S} UTC.")
    send_all(run, at=again - timedelta(seconds=1))
    assert Gate.objects.get().trips == 1  # nobody knocked before the time
    cure()
    for minute in range(20):
        send_all(run, at=again + timedelta(minutes=minute))
    assert list(Delivery.objects.values_list("state", flat=True)) == ["sent"] * 3
    assert waiting.why(run, now=again) == ""
    assert disagreements([run.pk], kept_since=None) == []
