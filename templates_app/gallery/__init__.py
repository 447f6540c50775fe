"""The gallery: templates of our own to begin with, each as if it had been exported."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from templates_app.bundle import Bundle
from templates_app.compiling import included
from templates_app.compiling.library import Piece
from templates_app.drafts import Draft, Written
from templates_app.models import Kind

_ENDINGS = {Kind.MJML: "mjml", Kind.MARKDOWN: "md"}
_ROWS = frozenset({"product-row"})  # rows of a table, which is HTML also within MJML


class NoStarter(Exception):
    """There is none of that name; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A template of the gallery: what it is for, and what a new one of it says first."""

    slug: str
    title: str | Promise
    purpose: str | Promise
    subject: str
    preheader: str
    kind: Kind = Kind.MJML
    layout: str = ""


STARTERS = (
    Starter(
        "newsletter",
        _("Newsletter"),
        _("One story that leads, two shorter ones, a sentence to remember, and news in brief."),
        "What we learned from doing one thing slowly",
        "Eleven things that we had been getting wrong, a tool, and three questions.",
    ),
    Starter(
        "announcement",
        _("Announcement"),
        _("One piece of news, said loudly, with one button and three reasons."),
        "Bookings that take one minute",
        "No telephone, no waiting for an answer. It is here.",
    ),
    Starter(
        "invitation",
        _("Invitation"),
        _("To an event: day and place as on a ticket, an answer in one press, what happens when."),
        "{{ first_name | default('Hello') }}, you are invited",
        "An evening of short stories on 14 May, from 19:00, in the Old Library.",
    ),
    Starter(
        "receipt",
        _("Receipt"),
        _("A notification with facts: an order, a row for each product, a total."),
        "Your order {{ order_number | default('with us') }}",
        "Thank you. This is your receipt; the parcel follows.",
    ),
    Starter(
        "digest",
        _("Digest"),
        _("A list that differs for each reader: the field “articles” has what is new for them."),
        "The week in short",
        "What is worth your time, in five minutes.",
    ),
    Starter(
        "products",
        _("Products"),
        _("What is new on the shelf: a row for each of the field “products”, with its price."),
        "New on the shelf this week",
        "There are not many of each.",
    ),
    Starter(
        "letter",
        _("Plain letter"),
        _("Written in Markdown, as one person writes to another; the layout keeps out of the way."),
        "An answer within a working day",
        "Until now it took us three, sometimes five.",
        kind=Kind.MARKDOWN,
        layout="letter",
    ),
)


def starter(slug: str) -> Starter:
    """Return what the gallery has under this name.

    :raises NoStarter:
    """
    for each in STARTERS:
        if each.slug == slug:
            return each
    there_are = ", ".join(each.slug for each in STARTERS)
    raise NoStarter(
        gettext("the gallery has no %(name)r; there are %(there_are)s")
        % {"name": slug, "there_are": there_are}
    )


def bundle_of(chosen: Starter, *, name: str) -> Bundle:
    """Return a template of the gallery, under a name, with the snippets and the layout it uses."""
    source = _read(f"{chosen.slug}.{_ENDINGS[chosen.kind]}")
    layouts = {}
    if chosen.layout:
        layouts = {chosen.layout: Piece(Kind.MJML, _read("layouts", f"{chosen.layout}.mjml"))}
    sources = [source, *(each.source for each in layouts.values())]
    written = Written(chosen.subject, source, preheader=chosen.preheader)
    return Bundle(
        name=name,
        draft=Draft(chosen.kind, (written,), layout=chosen.layout),
        snippets={each: _snippet(each) for each in dict.fromkeys(_included(sources))},
        layouts=layouts,
        files={},
    )


def _included(sources: Iterable[str]) -> list[str]:
    return [name for source in sources for name in included(source)]


def _snippet(name: str) -> Piece:
    kind = Kind.HTML if name in _ROWS else Kind.MJML
    return Piece(kind, _read("snippets", f"{name}.{kind}"))


def _read(*path: str) -> str:
    return files("templates_app.gallery").joinpath(*path).read_text(encoding="utf-8")
