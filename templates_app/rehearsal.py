"""Render a template in a process of its own before it is saved.

The grammar leaves out what could grow without bound, and the engine counts steps: that none of it
has a hole is seen here, where a template that fills the memory ends a process that nobody needs.
That process is told its limits before it reads anything, and knows no secret; of the settings it
is told those by which faults are said in a language.
"""

import json
import logging
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.translation import gettext as _

from templates_app.filters import TOO_LARGE
from templates_app.rendering import (
    TOO_MANY_STEPS,
    NotPlain,
    RenderError,
    check_content,
    compile_content,
)

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parent.parent
_DATES = frozenset({"date", "datetime", "time"})
_NUMBERS = frozenset({"currency", "float", "int", "money", "number", "percent", "plural", "round"})
_LONG = 60_000  # characters of all fields together; a recipient has less than 64 Ki
_HOSTILE = (
    "\"'><script>alert(1)</script>{{ 7*7 }}{% endif %}{{ email }}{# #}--><![endif]-->"
    "\x00\x1f\u202e\u2066\ufeff%s%n../../etc/passwd\r\nBcc: x@example.com"
)


@dataclass(frozen=True, slots=True)
class Content:
    """What is rendered, as plain texts."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    memory: int = 1024 * 1024 * 1024  # bytes of address space
    processor: int = 2  # seconds for each thirty contents
    clock: float = 10.0  # seconds, of a machine that has other things to do


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with which content, counted from 0."""

    number: int
    part: str
    line: int | None
    message: str


def rehearse(
    contents: Sequence[Content], *, language: str = "en", limits: Limits = Limits()
) -> list[Fault]:
    """Render each content with usual, empty, longest and hostile fields, in another process.

    A field that a recipient may lack is no fault; too many steps, too large a result, or the
    end of the process is.

    :param language: in which faults are said.
    """
    if not contents:
        return []
    factor = 1 + len(contents) // 30
    sent = [[each.subject, each.html, each.text] for each in contents]
    command = [sys.executable, "-m", "templates_app.rehearsal"]
    try:
        done = subprocess.run(
            [*command, str(limits.memory), str(limits.processor * factor), _speech(language)],
            input=json.dumps(sent),
            capture_output=True,
            encoding="utf-8",
            cwd=_ROOT,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
            timeout=limits.clock * factor,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return [*_faults(said), _end(said, _("it takes too long to render; make it simpler"))]
    faults = _faults(done.stdout)
    if done.returncode:
        # As a rule it is the template; but it might be the machine, or a mistake of ours.
        said = done.stderr[-2_000:]
        logger.warning("the rehearsal of a template ended with %d: %s", done.returncode, said)
        faults.append(_end(done.stdout, _("it takes too much memory or time; make it simpler")))
    return faults


def _speech(language: str) -> str:
    """Return all settings that the process gets: how it says what went wrong."""
    return json.dumps(
        {
            "LANGUAGE_CODE": language,
            "LOCALE_PATHS": [str(path) for path in settings.LOCALE_PATHS],
            "FORMAT_MODULE_PATH": settings.FORMAT_MODULE_PATH,
        }
    )


def _faults(said: str) -> list[Fault]:
    lines = (json.loads(line) for line in said.splitlines())
    return [Fault(*each) for each in lines if isinstance(each, list)]


def _end(said: str, message: str) -> Fault:
    numbers = [json.loads(line) for line in said.splitlines()]
    last = [each for each in numbers if isinstance(each, int)]
    return Fault(last[-1] if last else 0, "source", None, message)


def _main(memory: int, processor: int, speech: str) -> None:
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_CPU, processor)
    settings.configure(**json.loads(speech))
    apps.populate(())  # before which nothing is translated
    for number, (subject, html, text) in enumerate(json.load(sys.stdin)):
        print(number, flush=True)
        for fault in _tried(Content(subject, html, text)):
            print(json.dumps([number, *fault]), flush=True)


def _limit(what: int, most: int) -> None:
    """Allow so much of a resource, or what the system allows where that is less."""
    _, allowed = resource.getrlimit(what)
    least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
    resource.setrlimit(what, (least, least))


def _tried(content: Content) -> Iterator[tuple[str, int | None, str]]:
    whole = f"{content.subject}\n{content.html}\n{content.text}"
    compiled = compile_content(subject=content.subject, html=content.html, text=content.text)
    names = _names(content)
    for text, items, counts in (
        ("Sample", 3, True),
        ("", 0, True),
        ("W" * (_LONG // (len(names) or 1)), 1, False),
        ("x", 1_000 // (len(names) or 1), False),
        (_HOSTILE, 2, False),
    ):
        try:
            compiled.render({name: _value(name, whole, text, items) for name in names})
        except RenderError as error:
            too_much = _(TOO_LARGE) in error.reason or _(TOO_MANY_STEPS) in error.reason
            if counts and (too_much or error.is_for_all):
                yield error.part, error.line, error.reason
                return
        except NotPlain:
            raise AssertionError("a sample is plain") from None


def _names(content: Content) -> list[str]:
    found = check_content(subject=content.subject, html=content.html, text=content.text, known=())
    return sorted({each.unknown for each in found if each.unknown})


def _value(name: str, whole: str, text: str, items: int) -> Any:
    """Return a value of the kind that the template means the field to have."""
    word = re.escape(name)
    attributes = re.findall(rf"\b{word}\.(\w+)", whole)
    if loops := re.findall(rf"\bfor\s+(\w+)\s+in\s+{word}\b", whole):
        inner = {key for item in loops for key in re.findall(rf"\b{item}\.(\w+)", whole)}
        item = {key: _scalar(key, whole, text) for key in inner} if inner else text
        return [item] * items
    if attributes:
        return {key: _scalar(key, whole, text) for key in attributes}
    return _scalar(name, whole, text)


def _scalar(name: str, whole: str, text: str) -> Any:
    filters = set(re.findall(rf"\b{re.escape(name)}\s*\|\s*(\w+)", whole))
    if text and filters & _DATES:
        return "2026-02-28T12:30:00"
    return 1_234_567.891 if text and filters & _NUMBERS else text


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
