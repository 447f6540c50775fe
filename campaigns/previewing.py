"""Who a template is shown to before it is sent: a recipient, or somebody who is invented."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from recipients.addresses import BadAddress, parse_address
from recipients.models import Field, FieldKind, Recipient
from recipients.models.people import RecipientQuerySet
from tracking import links
from tracking.tokens import NOBODY

_FEW = 10
_INVENTED = "Ada.Reader@example.org"


@dataclass(frozen=True, slots=True)
class Tag:
    """A name that authors can use, with what it is and how it may look."""

    name: str
    what: str
    example: str

    @property
    def written(self) -> str:
        return f"{{{{ {self.name} }}}}"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose values a template is shown with."""

    label: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""
    time_zone: str = ""
    recipient_id: int | None = None

    def context(self) -> dict[str, Any]:
        """Return what the template sees: the fields, and names of Godwit's own."""
        own = {tag.name: tag.example for tag in own_tags()}
        if self.recipient_id:
            own |= {"email": self.label, "language": self.language, "time_zone": self.time_zone}
        return {**self.fields, **own}


def own_tags() -> list[Tag]:
    """List the names that Godwit sets, as somebody gets them who was not mailed."""
    return [
        Tag("email", _("the recipient's address"), _INVENTED),
        Tag("language", _("the recipient's language"), "en"),
        Tag("time_zone", _("the recipient's time zone"), "Europe/London"),
        Tag("unsubscribe_url", _("where to unsubscribe"), links.unsubscribe_url(NOBODY)),
        Tag("preferences_url", _("where to choose what to get"), links.preferences_url(NOBODY)),
        Tag("view_url", _("the message in a browser"), f"{settings.SITE_URL}/"),
        Tag("campaign_name", _("the campaign"), "Spring"),
        Tag("list_name", _("the list that it is sent to"), "Readers"),
        Tag("sender_name", _("the sender"), "Godwit"),
        Tag("sender_address", _("the sender's postal address"), "1 Shore Road, Nome"),
    ]


def field_tags() -> list[Tag]:
    """List the custom fields of recipients, with an example that fits the kind of each."""
    return [
        Tag(each.name, each.get_kind_display().lower(), shown(example(each)))
        for each in Field.objects.order_by("name")
    ]


def example(of: Field) -> Any:
    """Invent a value of a field."""
    match of.kind:
        case FieldKind.NUMBER:
            return 42
        case FieldKind.DATE:
            return date(2026, 12, 4).isoformat()
        case FieldKind.BOOLEAN:
            return True
        case FieldKind.CHOICE:
            return of.choices[0]
    return "Ada" if "name" in of.name else of.name.replace("_", " ").capitalize()


def invented(names: Iterable[str]) -> dict[str, Any]:
    """Invent a value for each of these fields."""
    fields = {each.name: each for each in Field.objects.filter(name__in=list(names))}
    return {
        name: example(fields[name] if name in fields else Field(name=name, kind=FieldKind.TEXT))
        for name in names
    }


def reader(recipient: Recipient) -> Reader:
    return Reader(
        recipient.address, recipient.fields, recipient.language, recipient.time_zone, recipient.pk
    )


def search(text: str, *, among: RecipientQuerySet) -> list[Recipient]:
    """Find a few of these by an address, a part of one, or what a field of a name holds."""
    text = text.strip()
    if "\0" in text:  # which PostgreSQL takes in no text
        return []
    try:
        return list(among.filter(key=parse_address(text).key))
    except BadAddress:
        found = list(among.filter(key__contains=text.lower()).order_by("pk")[:_FEW])
    if found or not text:
        return found
    named = Q(pk__in=[])
    for name in Field.objects.filter(name__icontains="name").values_list("name", flat=True):
        named |= Q(**{f"fields__{name}__icontains": text})
    return list(among.filter(named).order_by("pk")[:_FEW])


def typed(values: Mapping[str, str]) -> dict[str, Any]:
    """Read values that somebody typed into a page, by the kinds of their fields.

    What is empty is missing; a list or a group is written as JSON.
    """
    kinds = dict(Field.objects.filter(name__in=list(values)).values_list("name", "kind"))
    return {name: _read(text, kinds.get(name, "")) for name, text in values.items() if text}


def shown(value: Any) -> str:
    """Write a value as `typed` reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(text: str, kind: str) -> Any:
    """Read a value that was typed; a list or a group is one whatever its field was made for."""
    if kind not in {"", FieldKind.NUMBER, FieldKind.BOOLEAN} and text[0] not in "[{":
        return text
    try:
        value = json.loads(text)
        shown(value).encode()  # JSON can write half a character, which no page can
        return value
    except (RecursionError, ValueError):
        return text
