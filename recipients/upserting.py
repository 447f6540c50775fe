"""What programs say about recipients, some thousand at once: known ones change, others are added.

All of them are looked up and written together: ten thousand take as many statements as ten.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet

from recipients import locks
from recipients.addresses import Address, BadAddress, parse_address
from recipients.models import Field, Merge, Recipient, Tag, Tagging
from recipients.people import NotSaved
from recipients.suppression import erased
from recipients.validators import time_zones
from recipients.values import BadValue, Kind, kinds_of

_TRIES = 3  # somebody else may add the same people at the same moment

_ROWS = """
jsonb_to_recordset(%(rows)s::jsonb) AS given
    (id bigint, address text, key text, domain text, needs_smtputf8 boolean, external_id text,
     fields jsonb, language text, time_zone text)
"""
# In the order of addresses, as imports have it: two who add the same people wait for each other,
# and do not deadlock.
_ADD = f"""
INSERT INTO recipients_recipient
       (address, key, domain, needs_smtputf8, external_id, fields, language, time_zone,
        created_at, updated_at)
SELECT address, key, domain, needs_smtputf8, external_id, fields, language, time_zone,
       %(now)s, %(now)s
  FROM {_ROWS} ORDER BY key
    ON CONFLICT DO NOTHING
RETURNING key, id
"""
_CHANGE = f"""
UPDATE recipients_recipient AS recipient
   SET address = given.address, key = given.key, domain = given.domain,
       needs_smtputf8 = given.needs_smtputf8, external_id = given.external_id,
       fields = given.fields, language = given.language, time_zone = given.time_zone,
       updated_at = %(now)s
  FROM {_ROWS} WHERE recipient.id = given.id
"""
_UNTAG = """
DELETE FROM recipients_tagging AS tagging
 USING unnest(%(recipients)s::bigint[], %(tags)s::bigint[]) AS gone (recipient_id, tag_id)
 WHERE (tagging.recipient_id, tagging.tag_id) = (gone.recipient_id, gone.tag_id)
"""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said about one recipient; None: nothing, so it stays as it is."""

    address: str | None = None
    external_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The others stay; None or an empty text empties one."""
    language: str | None = None
    time_zone: str | None = None
    tags: Collection[str] | None = None
    """The names of all that the recipient has from then on."""
    pk: int | None = None
    """Of which recipient; None: the one with this external id, or else with this address."""


@dataclass(frozen=True, slots=True)
class Saved:
    pk: int
    is_new: bool
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    where: str
    """Which part of it: `address`, `fields/city`."""
    why: str


Outcome: TypeAlias = Saved | Refused


@transaction.atomic
def upsert(
    all_said: Sequence[Said], *, seen: "QuerySet[Recipient]", now: datetime
) -> list[Outcome]:
    """Add or change recipients; return what became of each, in the order in which they are said.

    :param seen: whom the caller may see; of others they learn that they cannot change them.
    :raises NotSaved: others changed some of them at the same time; nothing was done.
    """
    locks.write_addresses()
    outcomes: dict[int, Outcome] = {}
    known = _Known.load(all_said)
    checked = {}
    for number, said in enumerate(all_said):
        found = _check(said, known)
        if isinstance(found, Refused):
            outcomes[number] = found
        else:
            checked[number] = found
    for _ in range(_TRIES):
        checked = _save(checked, outcomes, seen=seen, now=now)
        if not checked:
            return [outcomes[number] for number in range(len(all_said))]
    raise NotSaved("somebody changed some of them meanwhile; send it again")


# --- what is said ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Checked:
    said: Said
    address: Address | None
    fields: Mapping[str, Any]
    tags: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """What there is to say something about, read once for all of them."""

    kinds: Mapping[str, Kind]
    tags: Mapping[str, int]

    @classmethod
    def load(cls, all_said: Iterable[Said]) -> "_Known":
        names = {name for said in all_said for name in said.tags or ()}
        tags = Tag.objects.filter(name__in=names).values_list("name", "pk")
        return cls(kinds_of(Field.objects.all()), dict(tags))


def _check(said: Said, known: _Known) -> _Checked | Refused:
    address = None
    if said.address is not None:
        try:
            address = parse_address(said.address)
        except BadAddress as error:
            return Refused("address", str(error))
    if said.time_zone and said.time_zone not in time_zones():
        return Refused("time_zone", f"{said.time_zone} is no time zone; write one like Asia/Tokyo")
    values: dict[str, Any] = {}
    for name, value in said.fields.items():
        if name not in known.kinds:
            return Refused(f"fields/{name}", f"there is no field {name}; add it first")
        try:
            values[name] = "" if value in (None, "") else known.kinds[name].check(value)
        except BadValue as error:
            return Refused(f"fields/{name}", str(error))
    for name in said.tags or ():
        if name not in known.tags:
            return Refused("tags", f"there is no tag {name}; add it first")
    tags = None if said.tags is None else frozenset(known.tags[name] for name in said.tags)
    return _Checked(said, address, values, tags)


# --- what becomes of it ---------------------------------------------------------------------------


def _save(
    checked: Mapping[int, _Checked],
    outcomes: dict[int, Outcome],
    *,
    seen: "QuerySet[Recipient]",
    now: datetime,
) -> dict[int, _Checked]:
    """Write what can be written; return what others were faster with."""
    there = _There.load(checked.values(), seen=seen)
    new, known = _sort(checked, there, outcomes)
    changed = {number: row for number, row in known.items() if there.is_changed(row)}
    added = _add(new.values(), now=now)
    _change(changed.values(), now=now)
    ids = {number: added[row.key] for number, row in new.items() if row.key in added}
    ids |= {number: row.pk for number, row in known.items()}
    retagged = _tag({ids[n]: each.tags for n, each in checked.items() if n in ids}, now=now)
    for number, pk in ids.items():
        is_new = number in new
        outcomes[number] = Saved(pk, is_new, is_new or number in changed or pk in retagged)
    return {number: each for number, each in checked.items() if number not in outcomes}


def _sort(
    checked: Mapping[int, _Checked], there: "_There", outcomes: dict[int, Outcome]
) -> tuple[dict[int, Recipient], dict[int, Recipient]]:
    """Return the recipients that are new and those that are known, as they are to be."""
    new: dict[int, Recipient] = {}
    known: dict[int, Recipient] = {}
    taken: set[tuple[str, object]] = set()
    for number, each in checked.items():
        row = there.row(each)
        if isinstance(row, Refused):
            outcomes[number] = row
            continue
        names = _names(row, each)
        if not taken.isdisjoint(names):
            outcomes[number] = Refused("", "somebody before in this list is the same")
            continue
        taken |= names
        if row is None:
            new[number] = _as_said(Recipient(), each)
        else:
            known[number] = _as_said(row, each)
    return new, known


def _names(row: Recipient | None, each: _Checked) -> set[tuple[str, object]]:
    """Return what nobody else may have of whom this is said."""
    named = {
        "pk": row.pk if row else None,
        "key": each.address.key if each.address else None,
        "external_id": each.said.external_id or None,
    }
    return {(name, value) for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _There:
    """The recipients that something is said of, locked, and whose addresses nobody may have."""

    by_pk: Mapping[int, Recipient]
    by_key: Mapping[str, Recipient]
    by_external_id: Mapping[str, Recipient]
    before: Mapping[int, tuple[Any, ...]]
    visible: frozenset[int]
    erased: frozenset[str]
    merged: frozenset[str]

    @classmethod
    def load(cls, checked: Iterable[_Checked], *, seen: "QuerySet[Recipient]") -> "_There":
        checked = list(checked)
        keys = {each.address.key for each in checked if each.address}
        external_ids = {each.said.external_id for each in checked if each.said.external_id}
        asked = Q(key__in=keys) | Q(external_id__in=external_ids)
        asked |= Q(pk__in={each.said.pk for each in checked if each.said.pk})
        rows = list(Recipient.objects.filter(asked).order_by("pk").select_for_update())
        ids = [row.pk for row in rows]
        merges = Merge.objects.filter(former_key__in=keys).values_list("former_key", flat=True)
        return cls(
            by_pk={row.pk: row for row in rows},
            by_key={row.key: row for row in rows},
            by_external_id={row.external_id: row for row in rows if row.external_id},
            before={row.pk: _values(row) for row in rows},
            visible=frozenset(seen.filter(pk__in=ids).values_list("pk", flat=True)),
            erased=frozenset(erased(keys)),
            merged=frozenset(merges),
        )

    def row(self, each: _Checked) -> Recipient | Refused | None:
        """Return of whom something is said; None: of somebody new."""
        said, key = each.said, each.address.key if each.address else None
        row = self._row(said, key)
        if row is None and each.address is None:
            return Refused("address", "nobody is known by this; say the address to add them")
        if row is not None and row.pk not in self.visible:
            return Refused("", "there is somebody like this whom you may not see")
        if key and (row is None or row.key != key) and (why := self._taken(key)):
            return Refused("address", why)
        other = self.by_external_id.get(said.external_id or "")
        if row and other and other.pk != row.pk:
            return Refused("external_id", "somebody else has this one")
        return row

    def _row(self, said: Said, key: str | None) -> Recipient | None:
        if said.pk:
            return self.by_pk.get(said.pk)
        by_external_id = self.by_external_id.get(said.external_id or "")
        return by_external_id or (self.by_key.get(key) if key else None)

    def _taken(self, key: str) -> str:
        if key in self.erased:
            return "this person asked to be forgotten; only they themselves may come back"
        if key in self.by_key:
            return "somebody else has this address"
        if key in self.merged:
            return "somebody has another address instead of this one, by which they are known"
        return ""

    def is_changed(self, row: Recipient) -> bool:
        return self.before[row.pk] != _values(row)


def _as_said(row: Recipient, each: _Checked) -> Recipient:
    said = each.said
    if each.address:
        row.address, row.key = each.address.addr_spec, each.address.key
        row.domain, row.needs_smtputf8 = each.address.domain, each.address.needs_smtputf8
    for name in ("external_id", "language", "time_zone"):
        if (value := getattr(said, name)) is not None:
            setattr(row, name, value)
    filled = {name: v for name, v in each.fields.items() if v != "" or name in row.fields}
    row.fields = {**row.fields, **filled}
    return row


_COLUMNS = (
    "address",
    "key",
    "domain",
    "needs_smtputf8",
    "external_id",
    "fields",
    "language",
    "time_zone",
)


def _values(row: Recipient) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _COLUMNS)


def _add(rows: Iterable[Recipient], *, now: datetime) -> dict[str, int]:
    """Return the ids of those that were added, by their keys; who is there by now is not."""
    return dict(_write(_ADD, rows, now=now))


def _change(rows: Iterable[Recipient], *, now: datetime) -> None:
    try:
        with transaction.atomic():
            _write(_CHANGE, rows, now=now)
    except IntegrityError:
        raise NotSaved("somebody changed some of them meanwhile; send it again") from None


def _write(sql: str, rows: Iterable[Recipient], *, now: datetime) -> list[Any]:
    given = [{"id": row.pk, **dict(zip(_COLUMNS, _values(row), strict=True))} for row in rows]
    if not given:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, {"rows": json.dumps(given), "now": now})
        return list(cursor.fetchall()) if cursor.description else []


def _tag(wanted: Mapping[int, frozenset[int] | None], *, now: datetime) -> set[int]:
    """Let recipients have these tags and no other; return those with whom that is something new."""
    asked = {pk: tags for pk, tags in wanted.items() if tags is not None}
    if not asked:
        return set()
    taggings = Tagging.objects.filter(recipient__in=asked).values_list("recipient", "tag")
    has = set(taggings)
    wants = {(pk, tag) for pk, tags in asked.items() for tag in tags}
    gone, new = sorted(has - wants), sorted(wants - has)
    with connection.cursor() as cursor:
        given = {"recipients": [pk for pk, _ in gone], "tags": [tag for _, tag in gone]}
        cursor.execute(_UNTAG, given)
    Tagging.objects.bulk_create(
        (Tagging(recipient_id=pk, tag_id=tag) for pk, tag in new), ignore_conflicts=True
    )
    changed = {pk for pk, _ in [*gone, *new]}
    Recipient.objects.filter(pk__in=changed).update(updated_at=now)
    return changed
