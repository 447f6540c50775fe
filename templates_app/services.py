"""What people do with templates: save them, and freeze what a campaign will send."""

import hashlib
import json
from collections.abc import Collection, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from templates_app import media
from templates_app.compiling import (
    Compilation,
    CompiledContent,
    Library,
    Piece,
    Problem,
    compile_draft,
)
from templates_app.drafts import Draft, draft_of
from templates_app.models import (
    EmailTemplate,
    Kind,
    Layout,
    Snippet,
    TemplateVersion,
    VersionVariant,
)


class Refused(Exception):
    """The content has faults; the text names each with its line."""

    def __init__(self, reason: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.problems = list(problems)


def library() -> Library:
    """Return all snippets and layouts, and where files are found, as they are now."""
    return Library(
        snippets={each.name: Piece(Kind(each.kind), each.source) for each in Snippet.objects.all()},
        layouts={each.name: Piece(Kind(each.kind), each.source) for each in Layout.objects.all()},
        media=media.lookup,
    )


def create_template(
    name: str,
    *,
    subject: str,
    source: str,
    known: Collection[str],
    kind: Kind = Kind.HTML,
    text: str = "",
) -> EmailTemplate:
    """Create a template.

    :param known: the names of the custom fields that recipients have; where there is none yet, any
        name is taken, and the campaign's scheduling has the last word.
    :raises Refused: where the name is taken, there is no content, or the content has a fault.
    """
    name = name.strip()
    template = EmailTemplate(name=name, kind=kind, subject=subject, source=source, text=text)
    if EmailTemplate.objects.filter(name=name).exists():
        raise Refused(f"there is a template {name!r} already; choose another name")
    if not source.strip():
        raise Refused(f"a template needs {kind.label}")
    try:
        template.clean_fields()
    except ValidationError as error:
        faults = error.message_dict.items()
        raise Refused("; ".join(f"{name}: {' '.join(said)}" for name, said in faults)) from None
    if found := problems(template, known=known or unknown_fields(template)):
        raise Refused("; ".join(str(problem) for problem in found), found)
    template.save()
    return template


def problems(template: EmailTemplate, *, known: Collection[str]) -> list[Problem]:
    """Return what would fail in sending: syntax, and names that no recipient has."""
    return compile_draft(draft_of(template), library=library(), known=known).problems


def unknown_fields(template: EmailTemplate, *, known: Collection[str] = ()) -> list[str]:
    """Return the names, in their order, that the content uses and nobody has."""
    found = (problem.unknown for problem in problems(template, known=known))
    return list(dict.fromkeys(name for name in found if name))


@transaction.atomic
def freeze(template: EmailTemplate, *, by: str = "") -> TemplateVersion:
    """Return the version that holds the template's present content, made if there is none.

    :param by: the account that saved it.
    :raises Refused: the content has a fault, by now or still.
    """
    template = EmailTemplate.objects.select_for_update(of=("self",)).get(pk=template.pk)
    draft = draft_of(template)
    contents = _sound(compile_draft(draft, library=library())).contents
    fallback, *others = contents
    digest = _digest(draft, contents)
    if version := template.versions.filter(digest=digest).first():
        return version
    newest = template.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = template.versions.create(
        number=newest + 1,
        digest=digest,
        language=fallback.language,
        source=draft.as_json(),
        saved_by=by,
        **_columns(fallback),
    )
    VersionVariant.objects.bulk_create(
        VersionVariant(version=version, language=one.language, **_columns(one)) for one in others
    )
    return version


def _sound(compilation: Compilation) -> Compilation:
    if found := compilation.problems:
        raise Refused("; ".join(str(problem) for problem in found), found)
    return compilation


def _columns(content: CompiledContent) -> dict[str, object]:
    return {
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "links": list(content.links),
    }


def _digest(draft: Draft, contents: Sequence[CompiledContent]) -> str:
    compiled = [(one.language, one.subject, one.html, one.text) for one in contents]
    whole = json.dumps([draft.as_json(), compiled], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()
