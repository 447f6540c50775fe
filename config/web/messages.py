"""What is to be translated: the messages in our code and templates, and the catalogues for them.

Of packages whose pages are among ours, what they have not translated into a language themselves.

Babel reads, compares and compiles, so nobody needs the tools of GNU gettext. A catalogue lies in
`config/locale/LANGUAGE/LC_MESSAGES/`: people write `django.po`, Django reads `django.mo`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_python
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

APPS = ("campaigns", "config", "recipients", "templates_app", "tracking")
_TEMPLATE = "config.web.messages:extract_template"
_METHODS = [
    ("**.py", "python"),
    ("**/templates/**.html", _TEMPLATE),
    ("**/templates/**.txt", _TEMPLATE),
]
_PACKAGES = {
    "allauth": [
        (f"{folder}{app}/**{ending}", method)
        for app in ("account", "mfa", "socialaccount", "usersessions")
        for folder, ending, method in (
            ("", ".py", "python"),
            ("templates/", ".html", _TEMPLATE),
            ("templates/", ".txt", _TEMPLATE),
        )
    ],
    # What refuses what was typed; Django's own words for it are newer than some translations.
    "django": [
        ("forms/**.py", "python"),
        ("contrib/auth/password_validation.py", "python"),
        ("contrib/auth/validators.py", "python"),
        ("utils/timesince.py", "python"),
    ],
    "unfold": [
        ("contrib/**", "ignore"),
        ("**.py", "python"),
        ("templates/**.html", _TEMPLATE),
    ],
}
_TRANSLATED = ("allauth", "django/conf", "django/contrib/admin", "django/contrib/auth", "unfold")
_KEYWORDS = dict(DEFAULT_KEYWORDS) | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "Translatable": (1,),
    "kept": (1,),
}

# Without dates and names: a commit shows messages alone.
_HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: %s\\n"

"""

_DAY = datetime(2026, 1, 1, tzinfo=UTC)

# Text in quotes, or what `templatize` makes of a line's other characters.
_QUOTED_OR_BLANKED = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|\b[A-Z]+\b""")


def extract_template(
    file: IO[bytes], keywords: Mapping[str, Any], comment_tags: list[str], options: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield line, function, messages and comments of each `translate` and `blocktranslate`."""
    calls = templatize(file.read().decode(), origin=getattr(file, "name", None))
    lines = (_QUOTED_OR_BLANKED.sub(r"\1", line).strip() for line in calls.split("\n"))
    yield from extract_python(
        BytesIO("\n".join(lines).encode()), keywords, comment_tags, {"encoding": "utf-8"}
    )


def sought(language: str) -> Catalog:
    """Return every message that we have to translate into a language, without a translation."""
    found, theirs = Catalog(charset="utf-8"), Catalog(charset="utf-8")
    for app in APPS:
        _add(found, settings.BASE_DIR / app, app)
    ours = {(message.id, message.context) for message in found}
    for package in _PACKAGES:
        _add(theirs, _place(package), package)
    translated = _translated_by_packages(language)
    for message in theirs:
        if (message.id, message.context) not in ours and _first(message) not in translated:
            found[message.id] = message
    return found


def _add(found: Catalog, place: Path, name: str) -> None:
    for file, line, message, comments, context in extracted(place, name):
        found.add(
            message, locations=[(f"{name}/{file}", line)], auto_comments=comments, context=context
        )


@cache
def extracted(place: Path, name: str) -> list[tuple[Any, ...]]:
    """Read code and templates, which takes seconds, once for all languages."""
    methods = _PACKAGES.get(name, _METHODS)
    return list(extract_from_dir(place, method_map=methods, keywords=_KEYWORDS))


def _translated_by_packages(language: str) -> set[str]:
    """Return the messages that packages have translated into a language themselves."""
    found: set[str] = set()
    for package in _TRANSLATED:
        top, _slash, rest = package.partition("/")
        path = _place(top) / rest / "locale" / language / "LC_MESSAGES" / "django.mo"
        if path.exists():
            with path.open("rb") as file:
                messages = read_mo(file)
            found |= {_first(message) for message in messages if message.id}
    return found


def _first(message: Message) -> str:
    """Return what is said of one: all of it, where there is no plural."""
    return str(message.id if isinstance(message.id, str) else message.id[0])


def _place(package: str) -> Path:
    [place] = import_module(package).__path__
    return Path(place)


def catalogue_of(language: str) -> Catalog:
    """Return the translations into a language; empty where it has none yet."""
    path = _folder(language) / "django.po"
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language, domain="django")


def update(language: str) -> Catalog:
    """Add what is new and drop what is gone, compile, and return the catalogue."""
    catalogue = catalogue_of(language)
    catalogue.update(sought(language), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    folder = _folder(language)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "django.po").open("wb") as file:
        file.write((_HEADER % catalogue.plural_forms).encode())
        write_po(
            file, catalogue, omit_header=True, sort_output=True, include_lineno=False, width=100
        )
    (folder / "django.mo").write_bytes(compiled(catalogue))
    return catalogue


def not_translated(catalogue: Catalog) -> list[str]:
    """Return the messages that are still read in English."""
    return [str(message.id) for message in catalogue if message.id and not _is_translated(message)]


def compiled(catalogue: Catalog) -> bytes:
    """Return what Django reads of a catalogue: what is translated, always in the same bytes."""
    read = Catalog(locale=catalogue.locale, charset="utf-8", creation_date=_DAY, revision_date=_DAY)
    for message in catalogue:
        if message.id and _is_translated(message):
            read.add(message.id, message.string, context=message.context)
    file = BytesIO()
    write_mo(file, read)
    return file.getvalue()


def _is_translated(message: Message) -> bool:
    forms = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return not message.fuzzy and all(forms)


def _folder(language: str) -> Path:
    return Path(settings.LOCALE_PATHS[0]) / language / "LC_MESSAGES"
