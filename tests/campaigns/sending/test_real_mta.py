"""The SMTP client and a real mail transfer agent, Debian's Postfix, that relays to a next hop."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from campaigns.sending.outcomes import Accepted, Deferred, Outcome, Rejected
from campaigns.sending.outgoing import Outgoing
from campaigns.sending.session import Relay, StartTLS
from campaigns.sending.smtp import SMTPTransport
from tests.certificates import TLSPair, make_tls_pair
from tests.smtp_server import ScriptedSMTP

COUNT = 50
BODY = b"Subject: Hello\r\n\r\n.\r\n..\r\n.Good morning.\r\n" + (b"x" * 70 + b"\r\n") * 150

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = {owner}
setgid_group = {group}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
myhostname = mta.test
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = reject_non_fqdn_recipient, permit_mynetworks, reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {folder}/key.pem, {folder}/certificate.pem
smtpd_peername_lookup = no
smtp_host_lookup = native
default_transport = smtp:[127.0.0.1]:{next_port}
message_size_limit = 100000
"""
# service, type, private, unprivileged, chroot, wake-up, limit, command
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop saved trace"
SHARED = "private public pid"


@dataclass(frozen=True)
class Postfix:
    port: int
    tls: TLSPair
    next_hop: ScriptedSMTP


def daemons() -> Path:
    """Return the folder of Postfix's programs; skip the test where there is none to be run."""
    postconf = shutil.which("postconf", path=f"{os.environ['PATH']}:/usr/sbin")
    found = postconf and Path(postconf).parent.parent / "lib/postfix/sbin"
    if not found or not (found / "master").exists():
        pytest.skip("Postfix is not there: apt-get install postfix")
    if os.geteuid() != 0:
        pytest.skip("Postfix is started by root only: run this test as root, in a container say")
    return found


@contextmanager
def postfix(programs: Path) -> Iterator[Postfix]:
    with ExitStack() as stack:
        next_hop = stack.enter_context(ScriptedSMTP())
        # Not in pytest's folder, which others may not enter: the daemons leave root behind.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mta-")))
        folder.chmod(0o755)
        tls = make_tls_pair(folder)
        port = free_port()
        configure(folder, programs, port=port, next_port=next_hop.port)
        master = subprocess.Popen([programs / "master", "-c", folder, "-d"])
        stack.callback(end, master)
        wait_until_it_listens(folder, port)
        yield Postfix(port, tls, next_hop)


def configure(folder: Path, programs: Path, *, port: int, next_port: int) -> None:
    owner, group = unprivileged()
    values = {"folder": folder, "daemons": programs, "owner": owner.pw_name, "group": group}
    (folder / "main.cf").write_text(MAIN.format(next_port=next_port, **values))
    (folder / "master.cf").write_text(MASTER.format(port=port))
    for name in ("data", *(f"queue/{name}" for name in f"{QUEUES} {SHARED}".split())):
        (folder / name).mkdir(parents=True)
        if name != "queue/pid":
            os.chown(folder / name, owner.pw_uid, owner.pw_gid)


def unprivileged() -> tuple[pwd.struct_passwd, str]:
    """Return whom the daemons run as, and another group, as an installed Postfix has them."""
    try:
        return pwd.getpwnam("postfix"), "postdrop"
    except KeyError:
        return pwd.getpwnam("daemon"), "mail"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until_it_listens(folder: Path, port: int) -> None:
    pause = threading.Event()
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            pause.wait(0.1)
        else:
            return
    log = folder / "log"
    raise AssertionError(log.read_text() if log.exists() else "Postfix wrote no log.")


def end(master: subprocess.Popen[bytes]) -> None:
    master.send_signal(signal.SIGTERM)  # which it passes on to its daemons
    master.wait(30)


class Given:
    """A source of `COUNT` messages; every tenth goes to a recipient that Postfix refuses."""

    def __init__(self) -> None:
        self.left = list(range(COUNT))
        self.answers: dict[int, Outcome] = {}

    def next(self) -> tuple[int, Outgoing] | None:
        if not self.left:
            return None
        key = self.left.pop()
        recipient = f"a{key}@nowhere" if key % 10 == 0 else f"a{key}@example.org"
        return key, Outgoing(f"b-{key}@bounce.example", recipient, BODY)

    def begin(self, key: int) -> bool:
        return True

    def answer(self, key: int, outcome: Outcome) -> None:
        assert key not in self.answers
        self.answers[key] = outcome


@pytest.fixture(scope="module")
def mta() -> Iterator[Postfix]:
    with postfix(daemons()) as mta:
        yield mta


@pytest.mark.parametrize("starttls", [StartTLS.REQUIRED, StartTLS.NEVER])
@pytest.mark.parametrize("connections", [1, 5])
def test_postfix_takes_what_is_pipelined_once_and_as_it_is(
    mta: Postfix, starttls: StartTLS, connections: int
) -> None:
    relay = Relay(host="127.0.0.1", port=mta.port, starttls=starttls, timeout=30, dot_timeout=30)
    transport = SMTPTransport(relay, mta.tls.client)
    source = Given()
    before = len(mta.next_hop.messages)

    stopped = transport.send_many(source, connections=connections)
    transport.close()

    assert stopped is None
    good = {key for key in range(COUNT) if key % 10}
    accepted = {key for key, found in source.answers.items() if isinstance(found, Accepted)}
    refused = {key for key, found in source.answers.items() if isinstance(found, Rejected)}
    assert (accepted, refused) == (good, set(range(COUNT)) - good)
    arrived = mta.next_hop.wait_for(before + len(good))[before:]
    assert sorted(message.recipient for message in arrived) == sorted(
        f"a{key}@example.org" for key in good
    )
    assert all(message.data.endswith(BODY.partition(b"\r\n\r\n")[2]) for message in arrived)
    assert mta.next_hop.violations == []


def test_what_postfix_finds_too_large_is_not_offered(mta: Postfix) -> None:
    transport = SMTPTransport(Relay(host="127.0.0.1", port=mta.port))

    outcome = transport.send(Outgoing("", "ann@example.org", b"x" * 70 + b"\r\n" * 60_000))
    transport.close()

    assert isinstance(outcome, Rejected)
    assert "100000 at most" in outcome.diagnostic


def test_a_certificate_of_postfix_that_nobody_vouches_for_is_not_trusted(mta: Postfix) -> None:
    relay = Relay(host="127.0.0.1", port=mta.port, starttls=StartTLS.REQUIRED)

    outcome = SMTPTransport(relay).send(Outgoing("", "ann@example.org", BODY))

    assert isinstance(outcome, Deferred)
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.diagnostic
