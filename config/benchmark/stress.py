"""The question of `stress`: what workers gain over sending one after the other."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import fmean

from config.benchmark import chart, engine, report, sequential, task_times
from config.benchmark.installation import Installation, installation
from config.benchmark.measured import Measured
from config.benchmark.task_times import TaskTimes
from config.rig.audience import make_list, make_recipients, tidy_up
from config.rig.message import make_template
from config.rig.place import BenchmarkError

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Line:
    """What so many workers did; times in seconds."""

    workers: int
    recipients: int
    total_seconds: float
    """From the due time to the last message."""
    messages_per_second: float
    tasks: int
    task_mean_seconds: float
    task_p95_seconds: float
    message_mean_seconds: float
    """A worker's time for a message: that of its tasks, by their messages."""
    tasks_per_minute: float
    error_rate: float
    """The share of the recipients whose message was not sent."""
    gain: float
    """The share of the time of sending one after the other that is saved."""


@dataclass(frozen=True, slots=True)
class Answer:
    lines: list[Line]
    recipients: int
    sample: int
    sequential_seconds: float
    """For all recipients, reckoned from the sample."""
    adds_up: bool

    def as_csv(self) -> str:
        """Return a line for each number of workers, below that of sending one after the other."""
        output = io.StringIO()
        writer = csv.DictWriter(output, [field.name for field in fields(Line)])
        writer.writeheader()
        rate = self.recipients / self.sequential_seconds
        first = {
            "recipients": self.recipients,
            "total_seconds": self.sequential_seconds,
            "messages_per_second": rate,
            "message_mean_seconds": 1 / rate,
            "gain": 0.0,
        }
        writer.writerow({"workers": "one after the other", **_rounded(first)})
        writer.writerows(map(_rounded, map(asdict, self.lines)))
        return output.getvalue()

    def as_svg(self) -> str:
        """Return a chart of the total times."""
        slow = self.sequential_seconds
        label = f"{slow:,.1f} s, {self.recipients / slow:,.0f}/s"
        first = chart.Bar("one after the other", slow, label, is_first=True)
        others = [
            chart.Bar(
                _workers(line.workers),
                line.total_seconds,
                f"{line.total_seconds:,.1f} s, {line.messages_per_second:,.0f}/s, {-line.gain:.0%}",
            )
            for line in self.lines
        ]
        title = f"A campaign to {self.recipients:,} recipients"
        return chart.bars(title, "from the due time to the last message", [first, *others])


def measure(
    recipients: int, workers: Sequence[int], *, sample: int, latency: float, say: Say
) -> Answer:
    """Send one after the other, then by each number of workers, and say what came out.

    :param sample: how many messages are sent one after the other; the rest is reckoned
    :param latency: milliseconds that a round trip to the next hop takes
    :raises BenchmarkError: there is nothing to measure
    """
    sample = min(sample, recipients)
    with installation(latency=latency) as ours:
        make_recipients(recipients)
        content = (make_template(), make_list(recipients))
        tidy_up()
        say(f"{sample:,} recipients, one after the other …")
        one = sequential.seconds_for_one(content[1], sample=sample, next_hop=ours.next_hop)
        lines, is_right = [], True
        for number in workers:
            say(f"{recipients:,} recipients, {_workers(number)} …")
            run, times = _send(ours, content, number)
            lines.append(_line(run, times, slow=one * recipients))
            is_right = is_right and run.adds_up
        answer = Answer(lines, recipients, sample, one * recipients, is_right)
        _print(answer, ours, say)
    return answer


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 % of them do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _send(ours: Installation, content: engine.Content, workers: int) -> tuple[Measured, TaskTimes]:
    tidy_up()
    ours.start_processes(children=workers, with_events=True)
    with task_times.watched() as times:
        run = engine.send(ours, content, workers=workers)
        try:
            times.wait_for_all()
        except TimeoutError as error:
            raise BenchmarkError(str(error)) from None
    ours.stop()
    return run, times


def _line(run: Measured, times: TaskTimes, *, slow: float) -> Line:
    total = run.seconds_from_due or run.seconds
    return Line(
        workers=run.workers,
        recipients=run.recipients,
        total_seconds=total,
        messages_per_second=run.sent / total,
        tasks=len(times),
        task_mean_seconds=fmean(times.seconds),
        task_p95_seconds=p95(times.seconds),
        message_mean_seconds=sum(times.seconds) / run.recipients,
        tasks_per_minute=len(times) / total * 60,
        error_rate=1 - run.sent / run.recipients,
        gain=1 - total / slow,
    )


def _print(answer: Answer, ours: Installation, say: Say) -> None:
    head = ("", "total", "messages/s", "tasks", "mean", "p95", "a message", "tasks/min",
            "errors", "gain")  # fmt: skip
    slow = answer.sequential_seconds
    one = slow / answer.recipients
    first = ("one after the other", f"{slow:,.1f} s", f"{1 / one:,.0f}", "", "", "",
             f"{one * 1000:.2f} ms", "", "", "")  # fmt: skip
    for line in [*report.heading(ours), ""]:
        say(line)
    for line in report.table([head, first, *map(_cells, answer.lines)]):
        say(line)
    say(
        f"\nOne after the other: {answer.sample:,} messages were sent, {slow:,.1f} s reckoned from"
        " them: rendered by Django's\ntemplates, EmailMultiAlternatives.send() on a kept"
        " connection, save(). Total: from the due time to the last\nmessage. Mean and p95: of a"
        f" task. {'All books agree.' if answer.adds_up else 'IT DOES NOT ADD UP.'}"
    )


def _cells(line: Line) -> tuple[str, ...]:
    return (
        _workers(line.workers),
        f"{line.total_seconds:,.1f} s",
        f"{line.messages_per_second:,.0f}",
        f"{line.tasks:,}",
        f"{line.task_mean_seconds * 1000:,.0f} ms",
        f"{line.task_p95_seconds * 1000:,.0f} ms",
        f"{line.message_mean_seconds * 1000:.2f} ms",
        f"{line.tasks_per_minute:,.0f}",
        f"{line.error_rate:.1%}",
        f"{line.gain:.1%}",
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}


def _workers(number: int) -> str:
    return f"{number} worker{'s' if number > 1 else ''}"
