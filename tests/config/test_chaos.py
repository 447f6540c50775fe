"""A short drill: processes die while a campaign is sent, and the books still agree."""

import os
import random
import subprocess
import sys
from itertools import islice

import pytest
from django.conf import settings

from config.chaos.drill import Verdict
from config.chaos.events import EVENTS, chosen
from config.rig.place import FOREIGN

# All of whole installations in one process: they look for free ports.
pytestmark = pytest.mark.xdist_group("installations")

SECONDS = 280


def chaos(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {k: v for k, v in os.environ.items() if k not in {*FOREIGN, "GODWIT_STATE_DIR"}}
    return subprocess.run(
        [sys.executable, "manage.py", "chaos", *arguments],
        cwd=settings.BASE_DIR,
        env=environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_nobody_is_lost_and_nobody_mailed_twice_whatever_dies() -> None:
    done = chaos("--recipients", "1500", "--minutes", "0.25", "--seed", "12")

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines[0] == "seed 12"
    assert "twice          0" in lines
    assert "never          0" in lines
    assert lines[-1] == "everything adds up"


def test_the_same_seed_gives_the_same_events_and_all_of_them() -> None:
    first, second = (list(islice(chosen(random.Random(3)), 30)) for _ in range(2))

    assert first == second
    assert set(first[: len(EVENTS)]) == set(EVENTS)


@pytest.mark.parametrize("fault", ["twice", "never", "faults"])
def test_what_does_not_add_up_is_named(fault: str) -> None:
    verdict = Verdict(seed=1)
    getattr(verdict, fault).append("r1@example.org")

    assert not verdict.holds
    assert f"  {fault}: r1@example.org" in verdict.lines()


@pytest.mark.parametrize(("allowed", "holds"), [(0, False), (1, True)])
def test_no_more_are_in_doubt_than_connections_were_open(allowed: int, holds: bool) -> None:
    verdict = Verdict(seed=1, unconfirmed=["r1@example.org"], doubts_allowed=allowed)

    assert verdict.holds == holds


def test_a_server_of_somebodys_is_left_alone() -> None:
    environ = {**os.environ, "DATABASE_URL": "postgres://u@db.example/x"}
    environ.pop("GODWIT_STATE_DIR")
    command = [sys.executable, "manage.py", "chaos"]

    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environ, capture_output=True, text=True, timeout=SECONDS
    )

    assert done.returncode == 1
