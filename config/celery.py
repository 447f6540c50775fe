"""The Celery application: `celery -A config worker`, `celery -A config beat`."""

import gc
import os
import time
from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    before_task_publish,
    celeryd_init,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
)
from django.conf import settings
from django.db import close_old_connections
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from config import broker, logs
from config.env import refuse_problems
from config.signing import Files

# Queues of which something is short and waited for.
_AWAITED = {"transactional", "control", "maintenance"}
NICENESS = 10  # of the workers of all others

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

broker.install()
app = Celery("godwit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
if settings.TASK_SIGNING:
    from config.signing import messages  # slow to import, and not needed by most

    messages.install(app, Files(*settings.TASK_SIGNING))


@celeryd_init.connect
@beat_init.connect
def refuse_to_start(**_: Any) -> None:
    refuse_problems()


@celeryd_init.connect
def step_back(options: dict[str, Any], **_: Any) -> None:
    """Let what somebody waits for have the processor first: pages, programs, single messages.

    A campaign takes all that is left, and that is all of it where nobody waits. A worker of which
    no queue is named serves all of them.
    """
    queues = options.get("queues")
    if queues and _AWAITED.isdisjoint(queues):
        os.nice(NICENESS)


@worker_process_init.connect
def spare_the_collector(**_: Any) -> None:
    """Let the garbage collector not look through what was imported, at every chunk.

    A chunk makes some thousand objects that live as long as it does: 4 µs a message.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@setup_logging.connect
def log_as_everywhere(loglevel: int | None = None, logfile: str | None = None, **_: Any) -> None:
    logs.set_up(level=loglevel, file=logfile)


@before_task_publish.connect
def label(headers: dict[str, Any], **_: Any) -> None:
    """Have a message say since when it waits, as no broker of ours does, and who asked for it."""
    headers["queued_at"] = time.time()
    if request_id := get_contextvars().get("request_id"):
        headers["request_id"] = request_id


@task_prerun.connect
def name_in_logs(task: Any, task_id: str, **_: Any) -> None:
    """Have what a task logs name it, and the request that it comes from."""
    clear_contextvars()
    bind_contextvars(task=task.name, task_id=task_id)
    if request_id := getattr(task.request, "request_id", None):
        bind_contextvars(request_id=request_id)


@task_postrun.connect
def forget(**_: Any) -> None:
    clear_contextvars()


@task_prerun.connect
def check_connections(**_: Any) -> None:
    """Let a task not inherit a dead connection.

    With CELERY_DB_REUSE_MAX nothing else reopens one: a single restart of PostgreSQL would cost
    every later result of this process.
    """
    close_old_connections()
