"""The Celery application: `celery -A config worker`, `celery -A config beat`."""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init, task_prerun
from django.db import close_old_connections

from config.env import refuse_problems

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("godwit")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
@beat_init.connect
def refuse_to_start(**_: Any) -> None:
    refuse_problems()


@task_prerun.connect
def check_connections(**_: Any) -> None:
    """Let a task not inherit a dead connection.

    With CELERY_DB_REUSE_MAX nothing else reopens one: a single restart of PostgreSQL would cost
    every later result of this process.
    """
    close_old_connections()
