"""The question of `benchmark_send`: how many messages a second, and what each of them costs."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from config.benchmark import bare, engine, machine, report
from config.benchmark.engine import Content
from config.benchmark.installation import Installation, installation
from config.benchmark.measured import Measured
from config.rig.audience import make_list, make_recipients, tidy_up
from config.rig.message import make_template, sign

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Question:
    sizes: list[int]
    workers: int
    latency: float
    connections: int | None
    dkim: bool
    flower: bool
    with_engine: bool
    with_bare_loop: bool
    keep: bool

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        return cls(
            sizes=options["sizes"] or [options["recipients"]],
            workers=options["workers"],
            latency=options["latency"],
            connections=options["connections"],
            dkim=options["dkim"],
            flower=options["flower"],
            with_engine=not options["bare_only"],
            with_bare_loop=not options["engine_only"],
            keep=options["keep"],
        )


@dataclass(slots=True)
class Answer:
    machine: dict[str, str]
    next_hop: str
    latency: float
    connections: int | None
    dkim: bool
    runs: list[Measured] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        return all(run.adds_up for run in self.runs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "next_hop": self.next_hop,
            "latency_ms": self.latency,
            "connections": self.connections,
            "dkim": self.dkim,
            "runs": [run.as_dict() for run in self.runs],
            "share_of_bare_loop": {str(n): share for n, share in report.shares(self.runs).items()},
        }


def measure(question: Question, *, say: Say) -> Answer:
    """Measure, say on the way what is done, and at the end what came out.

    :raises BenchmarkError: there is nothing to measure
    """
    with installation(
        latency=question.latency, connections=question.connections, keep=question.keep
    ) as ours:
        answer = Answer(
            machine.describe(), ours.sink, question.latency, question.connections, question.dkim
        )
        with _step(f"{max(question.sizes):,} recipients", say):
            make_recipients(max(question.sizes))
        template = make_template()
        if question.dkim:
            sign()
        for size in question.sizes:
            for run in _runs(ours, (template, make_list(size)), question, say):
                answer.runs.append(run)
        for line in report.heading(ours, dkim=question.dkim) + report.speed(answer.runs):
            say(line)
        if question.keep:
            say(_how_to_look(ours.directory))
    return answer


def _runs(ours: Installation, content: Content, question: Question, say: Say) -> Iterator[Measured]:
    tidy_up()
    if question.with_engine:
        with _step(f"{content[1]}, by the engine", say):
            ours.start_processes(children=question.workers)
            if question.flower:
                ours.start_flower()
            yield engine.send(ours, content, workers=question.workers)
            ours.stop("flower")
            ours.stop()
    if question.with_bare_loop:
        with _step(f"{content[1]}, by the bare loop", say):
            yield bare.send(ours, content, processes=question.workers)


@contextmanager
def _step(name: str, say: Say) -> Iterator[None]:
    say(f"{name} …")
    begun = time.monotonic()
    yield
    say(f"  done in {time.monotonic() - begun:.1f} s")


def _how_to_look(directory: Path) -> str:
    return (
        f"kept: GODWIT_STATE_DIR={directory} .venv/bin/python manage.py services up; "
        "delete the directory when you have seen enough"
    )
