import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from ssl import CERT_REQUIRED
from typing import Any

import pytest
from kombu import Connection

from config import env as read
from config.embedded import Home
from config.embedded.services import Services
from config.env import Env
from config.processes import Ports, environment
from tests import settings_variables
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
        (read.redis_url, "sentinel://a.example;redis://b.example/0", "write sentinel://"),
        (read.redis_url, "sentinel://:s3cret@a.example:x;sentinel://b.example", "no port$"),
        (read.broker_url, "sentinel://a.example/0?name=news", "write sentinel://"),
        (read.broker_url, "amqp://a.example;redis://b.example", "write amqp://user"),
        (read.broker_url, "amqp:///", "write amqp://user:password@host"),
        (read.broker_url, "sqs://localhost", "write redis://"),
        (read.queue_names, "eu,campaigns", "a queue of Godwit's own"),
        (read.queue_names, "eu;us", "small letters, digits, - and _, not 'eu;us'"),
        (read.megabytes, "0", "whole number of megabytes from 1"),
        (read.megabytes, "1g", "whole number of megabytes from 1"),
        (read.database_url, "mysql://localhost/x", "PostgreSQL is the only database"),
        (read.database_url, "postgres://localhost", "write postgres://"),
        (read.database_url, "postgres://a.example:x,b.example/news", "is no port$"),
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
        (read.broker_url, "amqp://a.example;amqp://b.example/n", "amqp://a.example;amqp://b.example/n"),
        (
            read.broker_url,
            "sentinel://a.example;sentinel://b.example/1",
            "sentinel://a.example;sentinel://b.example/1",
        ),
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
            "postgres://u:p@a.example:6432,[::1],b.example/news?target_session_attrs=read-write",
            {
                "NAME": "news", "USER": "u", "PASSWORD": "p", "HOST": "a.example,::1,b.example",
                "PORT": "6432,5432,5432", "OPTIONS": {"target_session_attrs": "read-write"},
            },
        ),
        (
            read.database_url,
            "postgres://a.example,b.example/news",
            {
                "NAME": "news", "USER": "", "PASSWORD": "", "HOST": "a.example,b.example",
                "PORT": "", "OPTIONS": {},
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


# --- secrets in files ---------------------------------------------------------------------------


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n" + "k" * 40 + "\n")
    env = Env({"SECRET_KEY_FILE": str(tmp_path / "key")})

    assert env.read("SECRET_KEY", read.long_secret, default="") == "k" * 40
    assert env.problems == []


def test_what_is_wrong_in_a_file_is_said_like_any_other_value(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("short")
    env = Env({"SECRET_KEY_FILE": str(tmp_path / "key")})

    assert env.read("SECRET_KEY", read.long_secret, default="none") == "none"
    assert env.problems == ["SECRET_KEY: it is shorter than 32 characters; make a long random one"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file or directory"), (b" \n", "is empty"),
     (b"\xff\xfe", "cannot be read: it is no text")],
)  # fmt: skip
def test_a_secret_whose_file_has_none_is_a_problem_and_not_a_default(
    content: bytes | None, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    env = Env({"TOKEN_KEYS_FILE": str(file)})

    env.read("TOKEN_KEYS", read.keys, default=read.NONE)

    assert env.problems == [f"TOKEN_KEYS: its file {file} {reason}"]


def test_a_secret_is_set_in_one_place(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40)
    env = Env({"SECRET_KEY": "s" * 40, "SECRET_KEY_FILE": str(tmp_path / "key")})

    env.read("SECRET_KEY", read.long_secret, default="")

    assert env.problems == ["SECRET_KEY: it is set, and SECRET_KEY_FILE as well; unset one of them"]


def test_what_is_no_secret_is_in_no_file(tmp_path: Path) -> None:
    (tmp_path / "days").write_text("7")

    assert (
        Env({"HIT_DAYS_FILE": str(tmp_path / "days")}).read("HIT_DAYS", read.days, default=3) == 3
    )


def test_servers_that_are_named_in_files_are_not_ours_to_start(tmp_path: Path) -> None:
    services = Services(Home(tmp_path), {"DATABASE_URL_FILE": "/run/secrets/database"})

    states = {status.server: status.state for status in services.status()}

    assert states == {"postgresql": "external", "redis": "down"}


def test_messages_go_by_the_server_that_is_named_in_a_file(tmp_path: Path) -> None:
    given = {"EMAIL_URL_FILE": "/run/secrets/email"}

    assert "EMAIL_URL" not in environment(tmp_path, Ports(web=1, smtp=2, catcher=3), given)


def test_settings_take_each_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "database").write_text("postgres://u:secret@db.example.org/x")
    (tmp_path / "oidc").write_text("client-secret")
    files = {"DATABASE_URL_FILE": "database", "OIDC_CLIENT_SECRET_FILE": "oidc"}

    names, _ = settings_variables.load(
        {name: str(tmp_path / file) for name, file in files.items()}, tmp_path
    )

    assert names["DATABASES"]["default"]["PASSWORD"] == "secret"
    assert names["_OIDC_APP"]["secret"] == "client-secret"
    assert names["INSTANCE_ID"] == ""
    assert names["ENV_PROBLEMS"] == []


def test_what_belongs_together_is_set_together() -> None:
    names = ["KEY", "CERT"]
    both, one = Env({"KEY": "/a", "CERT": "/b"}), Env({"KEY": "/a"})

    assert both.all_or_none(names, read.absolute_path) == [Path("/a"), Path("/b")]
    assert one.all_or_none(names, read.absolute_path) == []
    assert Env({}).all_or_none(names, read.absolute_path) == []
    assert (both.problems, one.problems) == ([], ["CERT: set it as well, with KEY, CERT"])


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("rediss://:pw@redis.example/0", "rediss://:pw@redis.example/0?ssl_cert_reqs=required"),
        ("rediss://r.example?a=b", "rediss://r.example?a=b&ssl_cert_reqs=required"),
        ("rediss://r.example?ssl_cert_reqs=none", "rediss://r.example?ssl_cert_reqs=none"),
        ("redis://r.example", "redis://r.example"),
    ],
)
def test_the_certificate_of_a_broker_is_looked_at(url: str, asked: str) -> None:
    assert read.certified(url) == asked


def test_the_broker_shows_a_certificate_that_the_named_authority_has_signed(tmp_path: Path) -> None:
    url = "rediss://:pw@redis.example:6379/0?ssl_ca_certs=/etc/godwit/ca.pem"
    names, _ = settings_variables.load({"REDIS_URL": url}, tmp_path)

    ssl_of = Connection(names["CELERY_BROKER_URL"]).ssl

    assert ssl_of == {"ssl_ca_certs": "/etc/godwit/ca.pem", "ssl_cert_reqs": CERT_REQUIRED}
