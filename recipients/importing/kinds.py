"""The kinds of the fields of a file: found when it is checked, and held to until it is merged."""

from collections.abc import Iterable
from dataclasses import replace

from recipients.importing.layout import Layout
from recipients.models import Field, FieldKind
from recipients.translatable import Translatable
from recipients.values import Kind, kinds_of


def with_kinds(layout: Layout) -> Layout:
    """Say what each field takes now; one that is not there yet takes any text."""
    texts = dict.fromkeys(layout.fields, Kind(FieldKind.TEXT))
    known = Field.objects.filter(name__in=layout.fields).order_by("name")
    return replace(layout, kinds=texts | kinds_of(known))


def changed(layout: Layout) -> list[str]:
    """Return the fields that may not take what was read; lock all to the end of the transaction.

    They were deleted or made meanwhile, as another kind, or lost choices.
    """
    # Shared: slices do not wait for each other, and who changes a field waits for them.
    fields = Field.objects.raw(
        "SELECT * FROM recipients_field WHERE name = ANY(%s) ORDER BY name FOR SHARE",
        [layout.fields],
    )
    now = kinds_of(fields)
    return [name for name in layout.fields if not _takes(now.get(name), layout.kinds[name])]


def _takes(now: Kind | None, then: Kind) -> bool:
    if now is None or now.kind != then.kind:
        return False
    return set(then.choices) <= set(now.choices)


def to_check_again(names: Iterable[str]) -> Translatable:
    """Say what was found of these fields, and what to do while nothing is merged."""
    return Translatable(
        "the fields have changed since the file was checked (%(names)s);"
        " choose Change the columns, and have it checked once more",
        {"names": ", ".join(names)},
    )


def to_undo(names: Iterable[str]) -> Translatable:
    """Say what was found of these fields, and what to do with what is half merged."""
    return Translatable(
        "the fields have changed since the file was checked (%(names)s);"
        " undo what is imported, and import the file once more",
        {"names": ", ".join(names)},
    )
