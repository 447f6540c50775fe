"""What was measured on, and with what: without it, numbers say nothing."""

import os
import platform
from pathlib import Path

import celery
import django
import psutil
import redis
from django.conf import settings
from django.db import connection


def describe() -> dict[str, str]:
    """Return the machine, the system and the versions, in the order in which they are shown."""
    memory = psutil.virtual_memory().total / 2**30
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        redis_version = client.info("server")["redis_version"]
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgresql_version = cursor.fetchone()[0]
    return {
        "processor": f"{_processor()}, {_cores()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Django": django.get_version(),
        "Celery": celery.__version__,
        "PostgreSQL": postgresql_version,
        "Redis": redis_version,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cores() -> int:
    # What we may use, which is less than what is there in a container with a set of its own.
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
