"""What a log line is: a sentence, what it speaks of (request, task, run, chunk), and no address.

The standard library logs, as ours and all packages do; structlog shapes the line.
"""

import logging
import logging.config
import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings
from structlog.typing import EventDict, Processor

HIDDEN = "[address]"

# Wider than what is an address: what stands before the @ of a URL is a password, and goes as well.
_LOCAL = r"""(?:"[^"\r\n]{1,254}"|[^\s"<>(),:;\[\]\\@]{1,254})"""
_PART = r"""[^\s"<>(),:;\[\]\\@/?#&'.\u3002\uff0e\uff61]{1,63}"""
_ADDRESS = re.compile(
    rf"{_LOCAL}(?:@|%40)(?:\[[^\]\s]{{1,254}}\]|{_PART}(?:[.\u3002\uff0e\uff61]{_PART})+)"
)
_FIRST = ("timestamp", "level", "logger", "event")


def masked(text: str) -> str:
    """Return a text without addresses; the names of workers, which have no dot, stay."""
    if "@" not in text and "%40" not in text:
        return text
    return _ADDRESS.sub(HIDDEN, text)


def without_addresses(value: Any) -> Any:
    """Return plain values without addresses, whatever they are made of."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {masked(str(key)): without_addresses(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [without_addresses(each) for each in value]
    return masked(str(value))


def _mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: without_addresses(value) for key, value in event.items()}


def _line(_logger: Any, _method: str, event: EventDict) -> str:
    """Return a line for people; below it, a traceback."""
    said = f"{event['timestamp']} {event['level'].upper()} {event['logger']}: {event['event']}"
    more = [
        f"{key}={value}"
        for key, value in event.items()
        if key not in {*_FIRST, "exception", "stack"} and value is not None
    ]
    below = [event[key] for key in ("exception", "stack") if event.get(key)]
    return "\n".join([" ".join([said, *more]), *below])


def formatter(kind: str) -> structlog.stdlib.ProcessorFormatter:
    """Return what makes lines of records, by the value of LOG_FORMAT."""
    last: Processor = structlog.processors.JSONRenderer() if kind == "json" else _line
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow={"run", "chunk", "delivery"}),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _mask,
            last,
        ],
    )


def set_up(*, level: int | str | None = None, file: str | None = None) -> None:
    """Log as the settings say, from this level on; into a file where one is named."""
    logging.config.dictConfig(settings.LOGGING)
    root = logging.getLogger()
    if level:
        root.setLevel(level)
    if file:
        into = logging.FileHandler(file)
        into.setFormatter(root.handlers[0].formatter)
        root.handlers = [into]
