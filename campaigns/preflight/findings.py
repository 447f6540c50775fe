"""What a check found, as plain values."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recipients.translatable import Translatable


class Severity(StrEnum):
    ERROR = "error"  # blocks scheduling
    WARNING = "warning"  # asks: somebody has to accept it by its name
    ADVICE = "advice"


class Place(StrEnum):
    """Where it is mended."""

    TEMPLATE = "template"
    SENDER = "sender"
    CAMPAIGN = "campaign"
    RECIPIENTS = "recipients"
    INSTALLATION = "installation"  # the DNS, an environment variable


# The parts of a message, as `Finding.part` names them.
_PARTS = (gettext_noop("source"), gettext_noop("subject"), gettext_noop("text"))


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    name: str
    """By which a warning is accepted, such as `no-postal-address`; the same for all of a kind."""
    said: Translatable
    mending: Translatable | None = None
    place: Place = Place.TEMPLATE
    part: str = ""
    line: int | None = None
    """Of what the author wrote; None where it is not known."""
    language: str = ""
    recipients: tuple[int, ...] = ()
    """Ids of some of those whom it is about."""

    def __str__(self) -> str:
        where = [_(self.part)] if self.part else []
        where += [_("line %(line)s") % {"line": self.line}] if self.line else []
        where += [f"({self.language})"] if self.language else []
        place = ", ".join(where).replace(", (", " (")
        return f"{place}: {self.message}" if place else self.message

    @property
    def sentence(self) -> str:
        said = str(self)
        is_name = "." in said.partition(" ")[0]  # of a host: it is written as it is
        return f"{said if is_name else capfirst(said)}."

    @property
    def message(self) -> str:
        return str(self.said)

    @property
    def remedy(self) -> str:
        return str(self.mending or "")

    def as_dict(self) -> dict[str, Any]:
        """Return it in words, as programs read it."""
        return {
            "severity": self.severity,
            "name": self.name,
            "message": self.message,
            "remedy": self.remedy,
            "place": self.place,
            "part": self.part,
            "line": self.line,
            "language": self.language,
            "recipients": self.recipients,
        }

    @property
    def stored(self) -> dict[str, Any]:
        """Return it as it is kept for readers of any language; `of` reads it."""
        sentences = {"said": self.said.stored, "mending": self.mending and self.mending.stored}
        return {name: getattr(self, name) for name in _FIELDS} | sentences

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Finding":
        read = {
            "severity": Severity(stored["severity"]),
            "said": Translatable.of(stored["said"]),
            "mending": Translatable.of(stored["mending"]) if stored["mending"] else None,
            "place": Place(stored["place"]),
            "recipients": tuple(stored["recipients"]),
        }
        return cls(**{**stored, **read})


_FIELDS = tuple(each.name for each in fields(Finding))


# What spoils the message itself, whoever sends it to whom.
_ALWAYS = frozenset(
    {
        "link-script",
        "merge-field",
        "not-composed",
        "size-clipped",
        "size-refused",
        "subject-empty",
    }
)


def for_trial(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings for a sender from whom nothing real can come: all the rest is advice."""
    return [
        each if each.name in _ALWAYS else replace(each, severity=Severity.ADVICE)
        for each in findings
    ]
