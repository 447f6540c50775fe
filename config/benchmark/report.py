"""Numbers for people: tables on a terminal."""

from collections.abc import Mapping, Sequence

from config.benchmark import machine
from config.benchmark.installation import Installation
from config.benchmark.measured import Measured
from config.rig import message

_MIB = 2**20


def shares(runs: Sequence[Measured]) -> dict[int, float]:
    """Return the engine's rate as a share of the bare loop's, by the number of recipients."""
    rates = {(run.recipients, run.way): run.rate for run in runs}
    sizes = dict.fromkeys(run.recipients for run in runs)
    return {
        size: rates[size, "engine"] / rates[size, "bare loop"]
        for size in sizes
        if rates.get((size, "engine")) and rates.get((size, "bare loop"))
    }


def heading(installation: Installation, *, dkim: bool = False) -> list[str]:
    """Return the lines that say what was measured on, and what was sent."""
    way = f"{installation.latency:g} ms away" if installation.latency else "on this machine"
    rows = {
        **machine.describe(),
        "next hop": f"{installation.sink}, {way}",
        "message": message.describe() + ", signed" * dkim,
    }
    return ["", *named(rows)]


def named(rows: Mapping[str, str]) -> list[str]:
    """Return a line for each value, with its name before it."""
    return [f"{name:<12}{value}" for name, value in rows.items()]


def speed(runs: Sequence[Measured]) -> list[str]:
    """Return what `benchmark_send` found, as lines."""
    lines = [line for run in runs for line in ("", *_lines(run))]
    if len({run.recipients for run in runs}) > 1:
        lines += ["", *_by_size(runs)]
    for size, share in shares(runs).items():
        lines += ["", f"engine / bare loop, {size:,} recipients: {share:.0%}"]
    return lines


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, the columns below each other; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if number == 0 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _by_size(runs: Sequence[Measured]) -> list[str]:
    head = ("", "recipients", "messages/s", "from due", "first after", "CPU", "memory", "Redis")
    return table([head, *map(_cells, runs)])


def _cells(run: Measured) -> tuple[str, ...]:
    return (
        run.way,
        f"{run.recipients:,}",
        f"{run.rate:,.0f}",
        _number(run.rate_from_due),
        _seconds(run.first_after_due),
        f"{sum(run.cpu.values()):.0f} µs",
        _mebibytes(max(run.peak_memory, default=0)),
        _mebibytes(run.redis_memory),
    )


def _lines(run: Measured) -> list[str]:
    title = f"{run.way}, {run.recipients:,} recipients, {run.workers} processes"
    cpu = [(f"  CPU, {kind}", f"{used:.1f} µs") for kind, used in run.cpu.items()]
    rows = [
        ("messages/s, first to last", f"{run.rate:,.0f}"),
        ("messages/s, from the due time", _number(run.rate_from_due)),
        ("first message after the due time", _seconds(run.first_after_due)),
        ("CPU for a message", f"{sum(run.cpu.values()):.1f} µs"),
        *cpu,
        ("peak memory of a process that sends", _mebibytes(max(run.peak_memory, default=0))),
        ("peak memory of Redis", _mebibytes(run.redis_memory)),
        ("PostgreSQL's log for a message", f"{run.wal_per_message:,.0f} bytes"),
    ]
    states = ", ".join(f"{count:,} {state}" for state, count in run.states.items())
    counted = "" if run.at_sink is None else f"; at the sink {run.at_sink:,}"
    books = "counters = ledger = TaskResult" if not run.disagreements else "THE BOOKS DISAGREE"
    lines = [title, *table([row for row in rows if row[1]]), f"{states}{counted}; {books}"]
    return [*lines, *run.disagreements[:10]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _mebibytes(value: int) -> str:
    return f"{value / _MIB:,.1f} MiB"
