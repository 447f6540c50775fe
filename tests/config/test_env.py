import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from config import env as read
from config.env import Env
from tests.live import ROOT

PYTHON = sys.executable


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("convert", "value", "reason"),
    [
        (read.flag, "maybe", "write 1 or 0"),
        (read.positive_seconds, "0", "whole number of seconds from 1"),
        (read.positive_seconds, "1.5", "whole number of seconds from 1"),
        (read.seconds_list, "60,soon", "not 'soon'"),
        (read.seconds_list, "60,,60", "whole number of seconds"),
        (read.days, "-1", "whole number of days"),
        (read.long_secret, "short", "shorter than 32 characters"),
        (read.keys, "k" * 32 + ",short", "shorter than 32 characters"),
        (read.site_url, "example.org", "write https://host"),
        (read.site_url, "https://example.org/news", "without a path"),
        (read.site_url, "https://m\u00fcnchen.example", "in ASCII"),
        (read.site_url, "https://user:s3cret@news.example", "and nothing before it$"),
        (read.positive_seconds, "99999999999999", "from 1 to 31536000"),
        (read.days, "36501", "up to 36500"),
        (read.redis_url, "redis://localhost/abc", "the number of a database"),
        (read.redis_url, "amqp://localhost", "write redis://"),
        (read.redis_url, "redis://", "write redis://"),
        (read.broker_url, "amqp:///", "write amqp://user:password@host"),
        (read.broker_url, "sqs://localhost", "write redis://"),
        (read.queue_names, "eu,campaigns", "a queue of Godwit's own"),
        (read.queue_names, "eu;us", "small letters, digits, - and _, not 'eu;us'"),
        (read.megabytes, "0", "whole number of megabytes from 1"),
        (read.megabytes, "1g", "whole number of megabytes from 1"),
        (read.database_url, "mysql://localhost/x", "PostgreSQL is the only database"),
        (read.database_url, "postgres://localhost", "write postgres://"),
        (read.database_url, "postgres://u:s3cr/et@localhost/x", "is no port$"),
    ],
)
def test_a_wrong_value_becomes_a_sentence_and_the_default_is_used_meanwhile(
    convert: Callable[[str], Any], value: str, reason: str
) -> None:
    env = Env({"NAME": value})
    default = object()

    assert env.read("NAME", convert, default=default) is default
    [problem] = env.problems
    assert problem.startswith("NAME: ")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(problem)


@pytest.mark.parametrize(
    ("convert", "value", "expected"),
    [
        (read.flag, "Yes", True),
        (read.flag, "0", False),
        (read.seconds_list, "600, 1800", (600, 1800)),
        (read.words, "a.example, b.example,", ("a.example", "b.example")),
        (read.site_url, "https://news.example:8443/", "https://news.example:8443"),
        (read.redis_url, "unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        (read.broker_url, "amqp://mq.example:5673/news", "amqp://mq.example:5673/news"),
        (read.broker_url, "redis://cache.example/1", "redis://cache.example/1"),
        (read.queue_names, "eu, team_a,eu", ("eu", "team_a")),
        (read.megabytes, "512", 512),
        (
            read.database_url,
            "postgres://us%40er:p%2Fw@db.example:6432/news?sslmode=require",
            {
                "NAME": "news", "USER": "us@er", "PASSWORD": "p/w", "HOST": "db.example",
                "PORT": "6432", "OPTIONS": {"sslmode": "require"},
            },
        ),
        (
            read.database_url,
            "postgresql:///news?host=/run/postgresql",
            {
                "NAME": "news", "USER": "", "PASSWORD": "", "HOST": "/run/postgresql",
                "PORT": "", "OPTIONS": {},
            },
        ),
    ],
)  # fmt: skip
def test_a_right_value_is_read(convert: Callable[[str], Any], value: str, expected: Any) -> None:
    env = Env({"NAME": f" {value} "})

    assert env.read("NAME", convert, default=None) == expected
    assert env.problems == []


@pytest.mark.parametrize("value", [{}, {"NAME": ""}, {"NAME": "  "}])
def test_an_empty_variable_is_not_set(value: dict[str, str]) -> None:
    assert Env(value).read("NAME", read.flag, default=True) is True


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "s3://K:s%2Fc%40@s3.example.org/media?region=eu-1&prefix=a/b",
            ("K", "s/c@", "media", "https://s3.example.org", "eu-1", "a/b"),
        ),
        ("s3+http://[::1]:9000/m", (None, None, "m", "http://[::1]:9000", None, "")),
    ],
)
def test_a_bucket_is_read_from_its_url(url: str, expected: tuple[str | None, ...]) -> None:
    options = read.media_storage(url)["OPTIONS"]

    names = ("access_key", "secret_key", "bucket_name", "endpoint_url", "region_name", "location")
    assert tuple(options[name] for name in names) == expected


@pytest.mark.parametrize(
    "url",
    [
        "s3://K@s3.example.org/media",
        "s3://s3.example.org/media/deeper",
        "s3://s3.example.org",
        "s3:///media",
        "https://K:s3cret@s3.example.org/media",
        "s3://s3.example.org/media?acl=public-read",
    ],
)
def test_what_is_no_bucket_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="write s3://KEY:SECRET@host/bucket") as refused:
        read.media_storage(url)

    assert "s3cret" not in str(refused.value)


WRONG = {"RETRY_SCHEDULE": "soon", "SITE_URL": "example.org"}
LINES = [
    "error: SITE_URL: write https://host without a path, not 'example.org'",
    "error: RETRY_SCHEDULE: write a whole number of seconds from 1 to 31536000, not 'soon'",
]


@pytest.mark.parametrize(
    "arguments",
    [["manage.py", "campaign_status", "1"], ["-m", "celery", "-A", "config", "worker"]],
)
def test_a_process_refuses_a_wrong_environment_with_a_line_for_each_variable(
    arguments: list[str],
) -> None:
    done = start(*arguments, **WRONG)

    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == LINES
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("directory", ["/proc/none", "~nobody-here/state"])
def test_a_state_directory_that_cannot_be_used_is_one_line(directory: str) -> None:
    done = start("manage.py", "services", "status", GODWIT_STATE_DIR=directory)

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "GODWIT_STATE_DIR" in line


def test_the_system_check_reports_a_wrong_environment() -> None:
    done = start("manage.py", "check", **WRONG)

    assert done.returncode == 1
    assert done.stderr.count("(config.E001)") == 2
    assert "Traceback" not in done.stderr


def test_a_database_that_is_not_there_is_one_line() -> None:
    done = start("manage.py", "campaign_status", "1", DATABASE_URL="postgres://x@127.0.0.1:1/x")

    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: PostgreSQL does not answer: ")
    assert "manage.py services up" in line


def test_an_email_url_that_cannot_be_used_is_reported_by_the_check() -> None:
    done = start("manage.py", "check", EMAIL_URL="ftp://user:s3cret@relay.example")

    assert done.returncode == 1
    assert "EMAIL_URL: " in done.stderr
    assert "s3cret" not in done.stderr
