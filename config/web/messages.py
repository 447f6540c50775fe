"""What is to be translated: the messages in our code and templates, and the catalogues for them.

Babel reads, compares and compiles, so nobody needs the tools of GNU gettext. A catalogue lies in
`config/locale/LANGUAGE/LC_MESSAGES/`: people write `django.po`, Django reads `django.mo`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

_APPS = ("campaigns", "config", "recipients", "templates_app", "tracking")
_METHODS = [("**.py", "python"), ("**/templates/**.html", "config.web.messages:extract_template")]
_KEYWORDS = dict(DEFAULT_KEYWORDS) | {
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "Translatable": (1,),
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


def sought() -> Catalog:
    """Return every message of our code and templates, without a translation."""
    found = Catalog(charset="utf-8")
    for app in _APPS:
        for name, line, message, comments, context in extract_from_dir(
            settings.BASE_DIR / app, method_map=_METHODS, keywords=_KEYWORDS
        ):
            found.add(
                message,
                locations=[(f"{app}/{name}", line)],
                auto_comments=comments,
                context=context,
            )
    return found


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
    catalogue.update(sought(), no_fuzzy_matching=True)
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
