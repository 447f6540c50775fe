"""The bare loop: processes that claim, render, send and record, without Celery.

It is the ceiling of this design. What messages, chords and results cost is the difference.
"""

import select
from collections.abc import Callable
from typing import IO, cast

from django.utils import timezone

from campaigns.models import Run
from campaigns.sending import complete, fire, snapshot
from campaigns.services import schedule
from config.benchmark.engine import Content, draft
from config.benchmark.installation import POLL_SECONDS, Installation
from config.benchmark.measured import Measured, Meter
from config.rig.audience import tidy_up
from config.rig.place import BenchmarkError
from config.rig.processes import Process


def send(installation: Installation, content: Content, *, processes: int) -> Measured:
    """Send a campaign by so many processes; workers and Beat must not run meanwhile.

    The audience is written down before: the engine does that beside its sending.

    :raises BenchmarkError: a process has ended, or nothing moves any more
    """
    run_id = _prepared_run(content)
    tidy_up()
    names = [f"bare loop {part + 1}" for part in range(processes)]
    started = [
        installation.start_python(
            name, ["-m", "config.benchmark.bare_process", str(run_id), str(part), str(processes)]
        )
        for part, name in enumerate(names)
    ]
    for process in started:
        _wait_for("ready", process, installation)
    pids = [process.pid for process in started]
    meter = Meter(installation, installation.kinds(processes=pids), pids)
    meter.begin()
    for process in started:
        _input(process).write(b"\n")
        _input(process).flush()
    for process in started:
        _wait_for("done", process, installation, look=meter.look)
    meter.end()
    installation.stop(*names)
    complete.complete(run_id, now=timezone.now())
    run = Run.objects.get(pk=run_id)
    return meter.measured(run, way="bare loop", workers=processes, is_scheduled=False)


def _prepared_run(content: Content) -> int:
    now = timezone.now()
    campaign = schedule(draft(content), now=now, at=now)
    run_id = fire.fire(campaign.pk, now=now)
    if run_id is None:
        raise BenchmarkError("the campaign of the bare loop was not fired")
    while not snapshot.take_slice(run_id, now=timezone.now()).finished:
        pass
    return run_id


def _wait_for(
    word: str,
    process: Process,
    installation: Installation,
    *,
    look: Callable[[], None] = lambda: None,
) -> None:
    output = cast("IO[bytes]", process.stdout)
    while not select.select([output], [], [], POLL_SECONDS)[0]:
        look()
    if output.readline().strip().decode() != word:
        process.wait()
        installation.check_processes()


def _input(process: Process) -> IO[bytes]:
    return cast("IO[bytes]", process.stdin)
