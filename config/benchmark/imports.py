"""The question of `benchmark_import`: how many rows a second, and how much memory."""

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from config.benchmark import machine, report, usage
from config.benchmark.installation import servers
from config.embedded.services import Services
from config.rig.audience import tidy_up
from config.rig.place import BenchmarkError

_HEADER = "email,first_name,last_name,city\n"
_MIB = 2**20
_LOOK_SECONDS = 0.1

# What the file is to the base, what its people's city is, and as what its rows are counted.
_CASES = (("new", "Hanoi", "new"), ("known", "Hanoi", "unchanged"), ("changed", "Hue", "changed"))

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Measured:
    """One file, imported by the command that an operator would use, its start included."""

    case: str
    rows: int
    seconds: float
    rows_per_second: float
    cpu_us_per_row: float
    """Of the command and of PostgreSQL together."""
    peak_mib: float
    """The command's largest resident memory."""
    counts: dict[str, int]


def measure(rows: int, *, keep: bool, say: Say) -> list[Measured]:
    """Import a file of so many people: all new, all known, all changed."""
    with servers(keep=keep) as services:
        file = f"{rows:,} rows of 4 columns, ASCII, in no order"
        for line in report.named({**machine.describe(), "file": file}):
            say(line)
        say(f"\n{'':<12}{'rows/s':>10}{'s':>8}{'CPU µs':>9}{'MiB':>6}")
        return [_case(services, *case, rows=rows, say=say) for case in _CASES]


def _case(
    services: Services, case: str, city: str, expected: str, *, rows: int, say: Say
) -> Measured:
    path = settings.STATE_DIR / f"{case}.csv"
    with path.open("w") as file:
        file.writelines(_lines(rows, city))
    tidy_up()
    found = _import(path, services, case=case, rows=rows)
    path.unlink()
    if found.counts != {**dict.fromkeys(found.counts, 0), expected: rows}:
        raise BenchmarkError(f"{case}: {found.counts}")
    say(
        f"{case:<12}{found.rows_per_second:>10,.0f}{found.seconds:>8.1f}"
        f"{found.cpu_us_per_row:>9.1f}{found.peak_mib:>6.0f}"
    )
    return found


def _lines(rows: int, city: str) -> Iterator[str]:
    yield _HEADER
    numbers = list(range(rows))
    random.Random(1).shuffle(numbers)  # noqa: S311  (the same file each time)
    for n in numbers:
        yield f"r{n}@d{n % 50}.example,Ada{n % 11},Lovelace{n % 101},{city}\n"


def _import(path: Path, services: Services, *, case: str, rows: int) -> Measured:
    postgres = {"postgres": [s.pid for s in services.status() if s.pid and s.server != "redis"]}
    before = usage.cpu_seconds(postgres)["postgres"] + _cpu_of_children()
    began = time.perf_counter()
    command = [sys.executable, "manage.py", "import_recipients", str(path), "--list", "Readers"]
    process = subprocess.Popen(
        [*command, "--json"], cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    peak = 0
    while process.poll() is None:
        # Linux keeps the peak, and that it was reached by this program: rusage mixes in its parent.
        peak = max(peak, *usage.peak_memory(process.pid).values(), 0)
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - began
    output, _ = process.communicate()
    if process.returncode:
        raise BenchmarkError(f"{case}: the import ended with {process.returncode}")
    cpu = usage.cpu_seconds(postgres)["postgres"] + _cpu_of_children() - before
    return Measured(
        case=case,
        rows=rows,
        seconds=seconds,
        rows_per_second=rows / seconds,
        cpu_us_per_row=cpu / rows * 1e6,
        peak_mib=peak / _MIB,
        counts=json.loads(output),
    )


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def as_dicts(measured: list[Measured]) -> list[dict[str, Any]]:
    return [asdict(each) for each in measured]
