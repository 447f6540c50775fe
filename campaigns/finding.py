"""Find recipients who get a branch of a template: among all of them, within a bounded time."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from campaigns.previewing import Reader, reader
from recipients.addresses import parse_address
from recipients.models import FieldKind
from recipients.models.people import RecipientQuerySet
from recipients.segments.asking import sample
from recipients.segments.grammar import MOST_RULES, BadRules
from recipients.segments.known import Known
from templates_app.branches import Branch
from templates_app.conditions import Test
from templates_app.languages import chosen

NEWEST = 2_000  # recipients, who are asked one by one; takes about a quarter of a second
_SECONDS = 1.5  # of PostgreSQL, for all branches of a page
_FEW = 20  # who answer to what is known of a condition; the engine has the last word

_STANDARD = {"email": "address", "language": "language", "time_zone": "time_zone"}
_ORDERS = {"<": "less", ">": "more"}
_DAYS = {"==": "on", "<": "before", ">": "after"}


class Finder:
    """Finds readers of the content of one language, where a template has several.

    :param languages: of all contents, that of the fallback first.
    :param number: of the content whose readers are looked for.
    :param among: those who may be shown.
    """

    def __init__(
        self,
        languages: Sequence[str],
        number: int,
        *,
        among: RecipientQuerySet,
        now: datetime,
        newest: int = NEWEST,
        seconds: float = _SECONDS,
    ) -> None:
        self._languages, self._number = languages, number
        self._among = among
        self._now, self._newest, self._left = now, newest, seconds
        self._known = Known.load()
        self.is_cut = False
        """Whether the time was over before all was looked for."""

    def newest(self) -> Iterator[tuple[Reader, Mapping[str, Any]]]:
        """Yield readers, the newest recipients first."""
        yield from self._readers(self._among.order_by("-pk")[: self._newest])

    def those_of(self, branch: Branch) -> Iterator[tuple[Reader, Mapping[str, Any]]]:
        """Yield a few of the recipients who are like those who get a branch."""
        asked = [rule for test in branch.tests if (rule := _rule(test, self._known))]
        asked += _speak(self._languages, self._number)
        if not asked:
            return
        try:
            found = self._addresses({"match": "all", "rules": asked})
        except BadRules:  # the field cannot have this value, or there are too many rules
            return
        keys = [parse_address(each).key for each in found]
        yield from self._readers(self._among.filter(key__in=keys).order_by("-pk"))

    def _readers(self, recipients: Any) -> Iterator[tuple[Reader, Mapping[str, Any]]]:
        for recipient in recipients:
            if chosen(recipient.language, self._languages) == self._number:
                found = reader(recipient)
                yield found, found.context()

    def _addresses(self, rules: object) -> list[str]:
        if self._left <= 0:
            self.is_cut = True
            return []
        started = monotonic()
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                limit = f"{1 + int(self._left * 1000)}"
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [limit])
                found = sample(rules, now=self._now, size=_FEW, known=self._known)
                cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
                return found
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            self.is_cut = True
            return []
        finally:
            self._left -= monotonic() - started


def _speak(languages: Sequence[str], number: int) -> list[dict[str, Any]]:
    """Return rules that all readers of a content answer to, by the language that they have.

    There are none where too many languages would have to be named.
    """
    own = _tags(languages[number]) if languages[number] else []
    if number:
        return [_any(own)]
    others = [rule for each in languages[1:] for rule in _tags(each)]
    if not others or len(others) > MOST_RULES // 2:
        return []
    neither: dict[str, Any] = {"match": "none", "rules": others}
    return [_any([neither, *own]) if own else neither]


def _tags(language: str) -> list[dict[str, Any]]:
    return [
        _asks("language", "is", language),
        _asks("language", "starts_with", f"{language}-"),
        _asks("language", "starts_with", f"{language}_"),
    ]


def _rule(test: Test, known: Known) -> dict[str, Any] | None:
    """Return what segments call a test; nothing where they cannot say it."""
    about, kind = _STANDARD.get(test.field, f"field:{test.field}"), FieldKind.TEXT
    if test.field not in _STANDARD:
        if test.field not in known.fields:
            return None
        kind = FieldKind(known.fields[test.field].kind)
    found = _positive(about, kind, test.sign, test.value)
    return {"match": "none", "rules": [found]} if found and test.is_denied else found


def _positive(
    about: str, kind: FieldKind, sign: str, value: str | float | None
) -> dict[str, Any] | None:
    match kind, sign:
        case _, ">=" | "<=":
            parts = [_positive(about, kind, each, value) for each in (sign[0], "==")]
            return _any([part for part in parts if part]) if all(parts) else None
        case FieldKind.NUMBER, "":
            none = [_asks(about, "blank"), _asks(about, "is", 0)]
            return {"match": "none", "rules": none}
        case FieldKind.NUMBER, "<" | ">":
            return _asks(about, _ORDERS[sign], value)
        case FieldKind.BOOLEAN, "":
            return _asks(about, "yes")
        case FieldKind.DATE, "<" | ">" | "==":
            return _asks(about, _DAYS[sign], value)
        case _, "" if about != "address":
            return _asks(about, "not_blank")
        case ((FieldKind.NUMBER | FieldKind.TEXT | FieldKind.CHOICE), "=="):
            return _asks(about, "is", value)
        case FieldKind.TEXT, "in":
            return _asks(about, "contains", value)
    return None


def _any(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"match": "any", "rules": rules}


def _asks(about: str, operator: str, value: object = None) -> dict[str, Any]:
    return {"about": about, "operator": operator, "value": value}
