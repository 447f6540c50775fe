"""Read settings from environment variables; a wrong one becomes a sentence, not a traceback."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from config.embedded import EmbeddedError
from templates_app import redis_servers

T = TypeVar("T")

_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:]+")
NONE: tuple[str, ...] = ()
_QUEUE = re.compile(r"[a-z][a-z0-9_-]{0,49}")
# RFC 3986, appendix B
_DATABASE = re.compile(
    r"postgres(?:ql)?://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)(?:\?(?P<query>[^#]*))?"
)
_SERVER = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::(\d{1,5}))?", re.ASCII)
_YEAR, _CENTURY = 31_536_000, 36_500  # in seconds, in days
_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,6})?", re.ASCII)
_LOGIN = re.compile(r"[\x21-\x39\x3b-\x7e]+:[\x21-\x7e]{16,}")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(?:\.fifo)?")
_SVIX = re.compile(r"whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_MILLION = 1_000_000
_TERABYTE = 1_048_576  # in megabytes
# As campaigns.queues says what each is for; a worker of several takes them in this order.
OWN_QUEUES = (
    "transactional", "control", "maintenance", "campaigns", "imports", "tracking", "webhooks"
)  # fmt: skip
# By which Anymail verifies what providers sign; its names.
WEBHOOK_KEYS = (
    "MAILERSEND_SIGNING_SECRET",
    "MAILGUN_WEBHOOK_SIGNING_KEY",
    "MAILTRAP_TRACKING_SECRET",
    "MANDRILL_WEBHOOK_KEY",
    "POSTAL_WEBHOOK_KEY",
    "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY",
    "UNISENDER_GO_API_KEY",
)
# Each may be in a file, which NAME_FILE names: what is in the environment is read by more people.
SECRETS = (
    "ADDRESS_KEY",
    "BOUNCE_MAILBOXES",
    "BROKER_URL",
    "DATABASE_URL",
    "EMAIL_URL",
    "MEDIA_STORAGE",
    "OIDC_CLIENT_SECRET",
    "REDIS_URL",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "TOKEN_KEYS",
    "ANYMAIL_WEBHOOK_SECRET",
    "ANYMAIL_RESEND_WEBHOOK_SECRET",
    *(f"ANYMAIL_{name}" for name in WEBHOOK_KEYS),
)
DATABASE_FORM = "postgres://user:password@host:5432/name"
STORAGE_FORM = "s3://KEY:SECRET@host/bucket?region=name&prefix=folder"


class Env:
    """The environment, and what was found wrong in it while it was read.

    A value that cannot be read is replaced by its default *and* named in `problems`: settings can
    always be imported, and every process refuses to start while there is a problem.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.problems: list[str] = []

    def read(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """Return `convert(value)`, or `default` where the variable is unset or empty."""
        try:
            value = self._value(name)
            return convert(value) if value else default
        except ValueError as error:
            self.problems.append(f"{name}: {error}")
            return default

    def _value(self, name: str) -> str:
        value = self.values.get(name, "").strip()
        if name not in SECRETS or not (file := self.values.get(f"{name}_FILE", "").strip()):
            return value
        if value:
            raise ValueError(f"it is set, and {name}_FILE as well; unset one of them")
        return _content(file)

    def attempt(self, make: Callable[[], T], *, otherwise: T) -> T:
        """Return what `make` makes; a state directory that cannot be used is a problem, too."""
        try:
            return make()
        except EmbeddedError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return otherwise

    def text(self, name: str, default: str = "") -> str:
        return self.read(name, str, default)

    def all_or_none(self, names: Sequence[str], convert: Callable[[str], T]) -> list[T]:
        """Read variables that are only set together; empty where none is, or one is missing."""
        found = {name: self.read(name, convert, default=None) for name in names}
        given = [value for value in found.values() if value is not None]
        if given and (missing := [name for name, value in found.items() if value is None]):
            self.problems.append(f"{missing[0]}: set it as well, with {', '.join(names)}")
            return []
        return given


def is_given(environ: Mapping[str, str], name: str) -> bool:
    """Whether a secret is in the environment, or a file that it names is to have it."""
    return any(environ.get(one, "").strip() for one in (name, f"{name}_FILE"))


def _content(file: str) -> str:
    """Return what is in a file of a secret, without the space around it."""
    try:
        content = Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"its file {file} cannot be read: {why}") from None
    if not content:
        raise ValueError(f"its file {file} is empty")
    return content


def flag(value: str) -> bool:
    answers = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if value.lower() not in answers:
        raise ValueError(f"write 1 or 0, not {value!r}")
    return answers[value.lower()]


def log_format(value: str) -> str:
    if value not in {"console", "json"}:
        raise ValueError(f"write console or json, not {value!r}")
    return value


def sentry_dsn(value: str) -> str:
    """Read where Sentry takes errors; what tells it is not installed with everything else."""
    url = _split(value)
    if url.scheme not in {"http", "https"} or not (url.username and url.hostname):
        raise ValueError("write https://key@host/project, as Sentry shows it")
    if find_spec("sentry_sdk") is None:
        raise ValueError("sentry-sdk is not installed: install requirements/production.txt")
    return value


def otlp_endpoint(value: str) -> str:
    """Read where a collector takes traces over HTTP (OTLP), without the path of one signal."""
    url = _split(value)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("write http://host:4318, where a collector takes OTLP over HTTP")
    if find_spec("opentelemetry") is None:
        raise ValueError("opentelemetry is not installed: install requirements/production.txt")
    return value


def tracking(value: str) -> str:
    if value not in {"full", "anonymous", "off"}:
        raise ValueError(f"write full, anonymous or off, not {value!r}")
    return value


def positive_seconds(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) <= _YEAR:
        raise ValueError(f"write a whole number of seconds from 1 to {_YEAR}, not {value!r}")
    return int(value)


def ten_minutes(value: str) -> int:
    if not value.isdecimal() or int(value) > 600:
        raise ValueError(f"write a whole number of seconds from 0 to 600, not {value!r}")
    return int(value)


def span_of_day(value: str) -> tuple[time, time] | None:
    try:
        start, end = (time.fromisoformat(part.strip()) for part in value.split("-"))
    except ValueError:
        raise ValueError(f"write two times of the day, as 22:00-07:00, not {value!r}") from None
    if start == end:
        raise ValueError(f"write two different times of the day, not {value!r}")
    return start, end


def count(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) <= _MILLION:
        raise ValueError(f"write a whole number from 1 to {_MILLION}, not {value!r}")
    return int(value)


def percentage(value: str) -> float:
    if not _NUMBER.fullmatch(value) or float(value) > 100:
        raise ValueError(f"write a number from 0 to 100, such as 0.3, not {value!r}")
    return float(value)


def dotted_path(value: str) -> str:
    """Read the name of something in a module; whether it is there is for the checks to say."""
    if not _DOTTED.fullmatch(value):
        raise ValueError(f"write it as package.module.name, not {value!r}")
    return value


def dotted_paths(value: str) -> tuple[str, ...]:
    return tuple(dotted_path(part) for part in words(value))


def days(value: str) -> int:
    if not value.isdecimal() or int(value) > _CENTURY:
        raise ValueError(f"write a whole number of days up to {_CENTURY}, not {value!r}")
    return int(value)


def seconds_list(value: str) -> tuple[int, ...]:
    """Read `600,1800,3600`: how long to wait after the first, second, third deferral."""
    return tuple(positive_seconds(part.strip()) for part in value.split(","))


def words(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def ip_addresses(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_address(part)) for part in words(value))
    except ValueError:
        raise ValueError(f"write IP addresses separated by commas, not {value!r}") from None


def networks(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(part)) for part in words(value))
    except ValueError:
        form = "192.0.2.0/24, 2001:db8::/32"
        raise ValueError(f"write networks separated by commas ({form}), not {value!r}") from None


def daemon(value: str) -> str:
    """Read where a daemon listens: `host:port`, or the path of its socket."""
    return _place(value, "host:port, or the path of a socket")


def absolute_path(value: str) -> Path:
    if not value.startswith("/"):
        raise ValueError(f"write an absolute path, not {value!r}")
    return Path(value)


def keys(value: str) -> tuple[str, ...]:
    """Read keys separated by commas, newest first."""
    return tuple(long_secret(key) for key in words(value))


def long_secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError("it is shorter than 32 characters; make a long random one")
    return value


def logins(value: str) -> tuple[str, ...]:
    """Read what basic authentication may say, `user:password`, separated by commas."""
    if not all(map(_LOGIN.fullmatch, words(value))):
        raise ValueError("write user:password, with a password of at least 16 characters in ASCII")
    return words(value)


def topics(value: str) -> tuple[str, ...]:
    """Read the ARNs of topics of Amazon SNS, separated by commas."""
    for topic in words(value):
        if not _TOPIC.fullmatch(topic):
            raise ValueError(f"write arn:aws:sns:region:account:name, not {topic!r}")
    return words(value)


def svix(value: str) -> str:
    if not _SVIX.fullmatch(value):
        raise ValueError("write the signing secret as Resend shows it: whsec_ and base64")
    return value


def site_url(value: str) -> str:
    url = _split(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path.strip("/"):
        raise ValueError(f"write https://host without a path, not {_without_user(url)!r}")
    if url.username is not None or not _HOST.fullmatch(url.hostname):
        raise ValueError("write the host's name in ASCII (xn--… for others), and nothing before it")
    return f"{url.scheme}://{url.netloc}"


def issuer(value: str) -> str:
    """Read the issuer of OpenID Connect, whose configuration is at its /.well-known/."""
    url = _split(value)
    is_here = url.hostname in {"localhost", "127.0.0.1"}
    if not url.hostname or url.query or not (url.scheme == "https" or is_here):
        raise ValueError(f"write https://host/path, not {_without_user(url)!r}")
    return value.rstrip("/")


def role(value: str) -> str:
    """Read a role that strangers may have."""
    if value not in {"viewer", "marketer", "approver"}:
        raise ValueError(f"write viewer, marketer or approver, not {value!r}")
    return value.capitalize()


def redis_url(value: str) -> str:
    if redis_servers.is_sentinels(value):
        redis_servers.sentinels(value)
        return value
    url = _split(value)
    if url.scheme not in {"redis", "rediss", "unix"} or not (url.hostname or url.path):
        raise ValueError("write redis://host:6379/0, rediss://…, unix:///path?db=0 or sentinel://…")
    if url.scheme != "unix" and not url.path.lstrip("/").isdecimal() and url.path.strip("/"):
        raise ValueError("what follows the host is the number of a database: redis://host:6379/0")
    return value


def broker_url(value: str) -> str:
    """Read Redis' or RabbitMQ's URL; what follows the host of the latter is its virtual host.

    The nodes of a cluster are parted by semicolons, as Celery takes them.
    """
    if not value.startswith(("amqp:", "amqps:")):
        return redis_url(value)
    nodes = [_split(part) for part in value.split(";")]
    if not all(node.scheme in {"amqp", "amqps"} and node.hostname for node in nodes):
        raise ValueError("write amqp://user:password@host:5672/virtual_host")
    return value


def certified(url: str) -> str:
    """Return the URL of a broker whose certificate is looked at; Kombu does so only where asked."""
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def queue_names(value: str) -> tuple[str, ...]:
    """Read names of queues beside Godwit's own ones."""
    names = words(value)
    for name in names:
        if not _QUEUE.fullmatch(name):
            raise ValueError(f"write small letters, digits, - and _, not {name!r}")
        if name in OWN_QUEUES:
            raise ValueError(f"{name} is a queue of Godwit's own; choose another name")
    return tuple(dict.fromkeys(names))


def megabytes(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) <= _TERABYTE:
        raise ValueError(f"write a whole number of megabytes from 1 to {_TERABYTE}, not {value!r}")
    return int(value)


def database_url(value: str) -> dict[str, Any]:
    """Turn a PostgreSQL URL into Django's settings; `?sslmode=require` and the like are options.

    Several servers are parted by commas, as libpq takes them: each is tried in turn.
    """
    url = _DATABASE.fullmatch(value)  # urlsplit knows of one host alone, if it is in brackets
    if not url or not (name := unquote(url["path"].strip("/"))):
        raise ValueError(f"write {DATABASE_FORM}; PostgreSQL is the only database")
    login, _, places = url["authority"].rpartition("@")
    user, _, password = login.partition(":")
    hosts, ports = _servers(places)
    options = dict(parse_qsl(url["query"] or ""))
    return {
        "NAME": name,
        "USER": unquote(user),
        "PASSWORD": unquote(password),
        # A socket's directory comes percent-encoded as host, or as ?host=/run/postgresql.
        "HOST": options.pop("host", hosts),
        "PORT": options.pop("port", ports),
        "OPTIONS": options,
    }


def _servers(places: str) -> tuple[str, str]:
    """Return the hosts and the ports of `host:port,host:port`, each as libpq takes them."""
    found = [_SERVER.fullmatch(place) for place in places.split(",")]
    if not all(found):  # a text in which a part of the password may be
        raise ValueError("what follows the last colon of a host is no port")
    hosts, ports = zip(*(one.groups("") for one in found if one), strict=True)
    if any(ports):
        ports = tuple(port or "5432" for port in ports)
    return ",".join(unquote(host.strip("[]")) for host in hosts), ",".join(filter(None, ports))


def media_storage(value: str) -> dict[str, Any]:
    """Turn the URL of an S3 bucket into one of Django's STORAGES.

    `s3://KEY:SECRET@host/bucket?region=…&prefix=…`; `s3+http://` for a host without TLS.
    """
    url = _split(value)
    bucket, options = url.path.strip("/"), dict(parse_qsl(url.query))
    has_both = bool(url.username) == bool(url.password)
    if url.scheme not in {"s3", "s3+http"} or not url.hostname or not has_both:
        raise ValueError(f"write {STORAGE_FORM}")
    if not bucket or "/" in bucket or options.keys() - {"region", "prefix"}:
        raise ValueError(f"write {STORAGE_FORM}")
    scheme = "http" if url.scheme == "s3+http" else "https"
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return {
        "BACKEND": "templates_app.media.s3.MediaS3Storage",
        "OPTIONS": {
            "access_key": unquote(url.username or "") or None,
            "secret_key": unquote(url.password or "") or None,
            "bucket_name": bucket,
            "endpoint_url": f"{scheme}://{host}" + (f":{url.port}" if url.port else ""),
            "region_name": options.get("region"),
            "location": options.get("prefix", ""),
        },
    }


def scanner(value: str) -> str:
    """Read where clamd listens: `host:port`, or the path of its socket."""
    return _place(value, "host:3310 or /run/clamav/clamd.ctl")


def _place(value: str, form: str) -> str:
    host, _, port = value.rpartition(":")
    is_port = port.isdecimal() and 0 < int(port) < 65_536
    if not (value.startswith("/") or (host and is_port)):
        raise ValueError(f"write {form}, not {value!r}")
    return value


def _without_user(url: SplitResult) -> str:
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()


def _split(value: str) -> SplitResult:
    url = urlsplit(value)
    try:
        _ = url.port
    except ValueError:  # whose text may hold a part of the password
        raise ValueError("what follows the last colon of the host is no port") from None
    return url


def refuse_problems() -> None:
    """End the process with one line for each environment variable that cannot be read."""
    from django.conf import settings

    if settings.ENV_PROBLEMS:
        _exit("\n".join(f"error: {problem}" for problem in settings.ENV_PROBLEMS))


def _exit(message: str) -> NoReturn:
    sys.stderr.write(message + "\n")
    raise SystemExit(1)
