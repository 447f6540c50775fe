import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
from django.conf import settings
from django.db import connections
from django.template import Context, Engine
from django.utils import timezone

from config.benchmark import compose, reports, segments, storing
from config.benchmark.chart import Bar, bars
from config.benchmark.report import table
from config.benchmark.sink import Tally
from config.benchmark.stress import p95
from config.processes import MARK, Ports, end_leftovers
from config.rig import message
from config.rig.place import (
    FOREIGN,
    BenchmarkError,
    clear_up_after_the_killed,
    move_in,
)
from recipients import consent
from recipients.models import Field
from recipients.segments.grammar import parse
from recipients.segments.indexes import mend_indexes
from templates_app.rendering import compile_content
from tracking import recounting
from tracking.models import Hit, RunTally

# All of whole installations in one process: they look for free ports.
pytestmark = pytest.mark.xdist_group("installations")

SECONDS = 120  # far above what anything here takes


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# --- the next hop -----------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Callable[..., None]]:
    """Start a module of the benchmark as a program, wait until its port greets."""
    started = []

    def program(module: str, port: int, *arguments: object) -> None:
        command = ["-m", f"config.benchmark.{module}", str(port), *map(str, arguments)]
        started.append(subprocess.Popen([sys.executable, *command], cwd=settings.BASE_DIR))
        wait_until(lambda: greets(port))

    yield program
    for process in started:
        process.terminate()
        process.wait()


def greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            return probe.recv(3) == b"220"
    except OSError:
        return False


def talk(port: int, *pieces: bytes) -> bytes:
    """Send pieces, each as soon as there is something to read after the one before."""
    answers = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as client:
        for piece in pieces:
            answers += client.recv(4096)
            client.sendall(piece)
        while more := client.recv(4096):
            answers += more
    return answers


def codes(answers: bytes) -> list[bytes]:
    return [line[:3] for line in answers.splitlines()]


PIPELINE = (
    b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
    b"Subject: x\r\n\r\nDATA\r\n..\r\n. \r\nQUIT\r\n.\r\n"
)
ANSWERS = [b"250", b"250", b"354", b"250"]


def test_the_sink_counts_messages_however_they_are_cut_and_pipelined(
    start: Callable[..., None], tmp_path: Path
) -> None:
    port = Ports(smtp=2700).free().smtp
    start("sink", port, tmp_path / "arrived")
    empty = b"MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n.\r\n"
    first, last = PIPELINE[:-3], PIPELINE[-3:]

    answers = talk(port, PIPELINE + empty + first, last + b"QUIT\r\n")

    assert codes(answers) == [b"220", *ANSWERS, *ANSWERS, *ANSWERS, b"221"]
    arrived = Tally(tmp_path / "arrived").read()
    assert arrived.count == 3
    assert 0 < arrived.first <= arrived.last


def test_the_relay_changes_neither_what_comes_nor_its_order(
    start: Callable[..., None], tmp_path: Path
) -> None:
    ports = Ports(smtp=2700, catcher=2800).free()
    start("sink", ports.smtp, tmp_path / "arrived")
    start("relay", ports.catcher, ports.smtp, 2)
    count = 2_000

    answers = talk(ports.catcher, PIPELINE * count + b"QUIT\r\n")

    assert codes(answers) == [b"220", *ANSWERS * count, b"221"]
    assert Tally(tmp_path / "arrived").read().count == count


# --- the message, the tables, the chart -------------------------------------------------------


def test_both_kinds_of_templates_make_the_same_message() -> None:
    html = message.source()
    token = "0" * 40
    values = {
        "first_name": "Zoë", "last_name": "Knot", "city": "Nome", "list_name": "Readers",
        "email": "a@b.example", "unsubscribe_url": f"https://n.example/u/{token}",
    }  # fmt: skip

    ours = compile_content(
        subject="", html=html.replace("{{ token }}", "{{ unsubscribe_url[-40:] }}"), text=""
    ).render(values)
    theirs = Engine().from_string(html).render(Context({**values, "token": token}))

    assert ours.html.strip() == theirs.strip()
    assert ours.html.count(f"/c/{token}/") == 5
    assert f"/o/{token}.gif" in ours.html
    assert 5_800 < len(ours.html.encode()) < 6_300


def test_ninety_five_percent_do_not_exceed_the_p95() -> None:
    assert p95([*range(1, 101)]) == 95
    assert p95([7.0]) == 7.0


def test_columns_stand_below_each_other() -> None:
    assert table([("a", "100"), ("long", "7")]) == ["a     100", "long    7"]


def test_the_longest_bar_fills_the_chart_and_text_is_escaped() -> None:
    rows = [Bar("<slow>", 4, "4 s"), Bar("fast", 1, "1 s")]

    svg = ET.fromstring(bars("A & B", "note", rows))  # noqa: S314  (our own)
    widths = [float(rect.attrib["width"]) for rect in svg.findall("{*}rect")][1:]
    texts = [text.text for text in svg.findall("{*}text")]

    assert widths[0] == pytest.approx(4 * widths[1])
    assert texts == ["A & B", "note", "<slow>", "4 s", "fast", "1 s"]


@pytest.mark.parametrize("name", FOREIGN)
def test_servers_of_somebodys_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x://mail.example.org")

    with pytest.raises(BenchmarkError, match=name):
        move_in()


# --- the commands, end to end -----------------------------------------------------------------


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for the installations of the commands; nothing of them may be left."""
    directory = Path(tempfile.mkdtemp(prefix="godwit-place-"))
    directory.chmod(0o711)
    yield directory
    for left in directory.iterdir():
        end_leftovers(left)
    directory.rmdir()


def begin(place: Path, *arguments: str) -> "subprocess.Popen[str]":
    foreign = {*FOREIGN, "GODWIT_STATE_DIR"}
    environ = {name: value for name, value in os.environ.items() if name not in foreign}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env={
            **environ,
            "TMPDIR": str(place),
            # Its first life has one, too, until it has moved.
            "GODWIT_STATE_DIR": str(settings.STATE_DIR),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(place: Path, *arguments: str) -> str:
    process = begin(place, *arguments)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


def left_behind(place: Path) -> list[str]:
    """Return what a command has left: processes of its own, servers, files."""
    of_place = [
        " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get(MARK, "").startswith(str(place))
        or any(str(place) in word for word in process.info["cmdline"] or [])
    ]
    return [*of_place, *map(str, place.iterdir())]


def test_benchmark_send_measures_the_engine_and_the_bare_loop(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"

    output = run(
        place, "benchmark_send", "--recipients", "200", "--workers", "1", "--latency", "1",
        "--dkim", "--json", str(file),
    )  # fmt: skip

    engine, bare_loop = json.loads(file.read_text())["runs"]
    for measured in (engine, bare_loop):
        assert measured["states"] == {"sent": 200}
        assert measured["at_sink"] in {200, None}
        assert measured["disagreements"] == []
        assert measured["rate"] > 0
        assert max(measured["peak_memory"]) > 2**20
        assert measured["wal_per_message"] > 0
    assert engine["first_after_due"] > 0
    assert engine["cpu"].keys() > {"campaigns", "beat", "postgresql", "redis", "relay", "sink"}
    assert "engine / bare loop, 200 recipients:" in output
    assert left_behind(place) == []


def test_stress_compares_workers_with_sending_one_after_the_other(
    place: Path, tmp_path: Path
) -> None:
    table, chart = tmp_path / "stress.csv", tmp_path / "stress.svg"

    output = run(
        place, "stress", "--recipients", "200", "--workers", "1", "--sequential", "20",
        "--csv", str(table), "--svg", str(chart),
    )  # fmt: skip

    first, line = csv.DictReader(table.read_text().splitlines())
    assert first["workers"] == "one after the other"
    assert line["workers"] == "1"
    assert int(line["tasks"]) > 1
    assert float(line["task_mean_seconds"]) > 0
    assert float(line["task_p95_seconds"]) > 0
    assert float(line["error_rate"]) == 0
    assert float(line["gain"]) < 1
    assert "All books agree." in output
    assert chart.read_text().count("<rect") == 3
    assert left_behind(place) == []


def test_ctrl_c_leaves_nothing(place: Path) -> None:
    process = begin(place, "benchmark_send", "--recipients", "200")
    wait_until(lambda: any(place.glob("*/logs/campaigns.log")))

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 130, output
    assert left_behind(place) == []


def test_what_a_killed_one_has_left_is_cleared_up_and_what_lives_is_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, living, kept = (place / f"godwit-benchmark-{name}" for name in ("a", "b", "c"))
    for directory in (dead, living, kept):
        directory.mkdir()
    left = sleeper(dead)
    gone = sleeper(kept)
    gone.kill()
    gone.wait()
    (dead / "benchmark").write_text(str(gone.pid))
    (living / "benchmark").write_text(str(os.getpid()))
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    clear_up_after_the_killed()

    assert left.wait(SECONDS) == -signal.SIGTERM
    assert sorted(place.iterdir()) == [living, kept]
    for directory in (living, kept):
        shutil.rmtree(directory)


def sleeper(directory: Path) -> "subprocess.Popen[bytes]":
    """Start a process that carries the mark of an installation."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(3600)"],
        env={**os.environ, MARK: str(directory)},
        start_new_session=True,
    )
    # Between fork and exec it is a copy of this process, with this one's environment.
    wait_until(lambda: psutil.Process(process.pid).environ().get(MARK) == str(directory))
    return process


@pytest.mark.django_db(transaction=True)
def test_segments_of_three_rules_are_counted_over_a_base_that_is_like_a_real_one() -> None:
    asked = segments.segments(*segments.make_base(2_000))

    found = list(segments.measure(asked, now=timezone.now()))

    assert {len(list(parse(rules).leaves())) for rules in asked.values()} == {3}
    assert all(one.seconds > 0 for one in found)
    # Were one of them to find nobody, it would measure nothing.
    assert {one.name for one in found if not 0 < one.found < 2_000} == set()
    Field.objects.all().delete()
    mend_indexes()


@pytest.mark.django_db(transaction=True)
def test_storing_hits_is_measured_and_their_sums_are_proven(broker: redis.Redis) -> None:
    found = storing.measure(60, postgres=[])

    assert [one.hits for one in found] == [60, 60]
    assert Hit.objects.count() == 120
    assert all(one.rate > 0 and one.cpu_us > 0 for one in found)
    assert len(storing.table(found)) == 3


@pytest.mark.django_db(transaction=True)
def test_pages_of_reports_are_measured_in_a_history_whose_sums_are_those_of_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reports, "RUNS", 3)
    monkeypatch.setattr(reports, "ROUNDS", 1)

    runs = reports.make_history(1_000, 500, say=str)
    asked = reports.pages(runs)
    of_console = [page for page in asked if page.startswith("console: ")]
    for page in of_console[3:]:  # each of them is opened by tests of the console
        del asked[page]
    found = list(reports.measure(asked, restart=connections.close_all))

    assert len(of_console) > 50
    assert [recounting.differences(run.pk, now=timezone.now()) for run in runs] == [[], [], []]
    assert RunTally.objects.get(run=runs[0]).opens_people > 50
    assert consent.verify().problems == []
    assert {one.page for one in found} >= {
        "run: overview",
        "who clicked link 8",
        "growth of a list",
    }
    assert all(one.queries < 20 for one in found)


@pytest.mark.django_db
def test_composing_is_measured_for_each_content() -> None:
    said: list[str] = []

    costs = compose.run(5, say=said.append)

    assert [len(cost.microseconds) for cost in costs] == [9] * 7
    assert all(min(cost.microseconds) > 0 for cost in costs)
    assert [cost.octets > 100_000 for cost in costs].count(True) == 1
    assert any("(benchmark message)" in line for line in said)


def test_benchmark_import_measures_new_known_and_changed_rows(place: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"

    run(place, "benchmark_import", "--rows", "2000", "--json", str(numbers))

    measured = json.loads(numbers.read_text())
    assert [each["case"] for each in measured] == ["new", "known", "changed"]
    assert [each["counts"]["new"] for each in measured] == [2000, 0, 0]
    assert all(each["rows_per_second"] > 0 and each["peak_mib"] > 0 for each in measured)
