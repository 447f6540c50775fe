"""What people do with templates: save them, restore them, and freeze what a campaign will send."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.deletion import ProtectedError
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from templates_app import media
from templates_app.compiling import (
    Compilation,
    CompiledContent,
    Library,
    Piece,
    Problem,
    Unusable,
    compile_draft,
)
from templates_app.drafts import Draft, Written, draft_of
from templates_app.locks import using_pieces
from templates_app.models import (
    EmailTemplate,
    Kind,
    Layout,
    Snippet,
    TemplateVariant,
    TemplateVersion,
    VersionVariant,
)
from templates_app.rehearsal import Content, rehearse

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # RFC 5646, as far as mail needs it


class Refused(Exception):
    """The content has faults; the text names each with its line."""

    def __init__(self, reason: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.problems = list(problems)


class Overtaken(Refused):
    """Somebody else has changed the template since its author saw it."""


def library() -> Library:
    """Return all snippets and layouts, and where files are found, as they are now."""
    return Library(
        snippets={each.name: Piece(Kind(each.kind), each.source) for each in Snippet.objects.all()},
        layouts={each.name: Piece(Kind(each.kind), each.source) for each in Layout.objects.all()},
        media=address_of_file,
    )


def address_of_file(path: str) -> str | None:
    try:
        return media.lookup(path)
    except media.Refused as refusal:
        raise Unusable(str(refusal)) from None


def create_template(
    name: str,
    *,
    subject: str,
    source: str,
    known: Collection[str],
    kind: Kind = Kind.HTML,
    text: str = "",
    by: str = "",
) -> EmailTemplate:
    """Create a template of one language, and its first version.

    :raises Refused: as `save_template`.
    """
    template = EmailTemplate(name=name, kind=kind, subject=subject, source=source, text=text)
    save_template(template, known=known, by=by)
    return template


def save_template(
    template: EmailTemplate,
    *,
    variants: Sequence[TemplateVariant] | None = None,
    known: Collection[str],
    by: str = "",
    may_write_raw: bool = False,
    seen: str = "",
) -> TemplateVersion:
    """Save a new or changed template with its languages, and freeze what it says now.

    :param variants: all of them from now on; None keeps those that it has.
    :param known: the names of the custom fields that recipients have; where there is none yet, any
        name is taken, and the campaign's scheduling has the last word.
    :param may_write_raw: whether whoever saves it may write HTML that is not sanitised; who may not
        saves a template that is raw only after its `is_raw` was taken back.
    :param seen: the `fingerprint` of what its author saw; without one it is saved in any case.
    :raises Overtaken: it says something else by now, and not this.
    :raises Refused: where the name is taken, a value is missing, or the content has a fault.
    """
    template.name = template.name.strip()
    if template.is_raw and not may_write_raw:
        sound(Compilation(problems=[Problem("source", None, str(_NOT_YOURS))]))
    sound(check(template, variants=variants, known=known))
    with transaction.atomic():
        using_pieces()
        if seen:
            _not_overtaken(template, variants, seen)
        _save(template)
        if variants is not None:
            _replace_variants(template, variants)
        return freeze(template, by=by)


def delete_template(template: EmailTemplate) -> None:
    """Delete a template with its versions.

    :raises Refused: a campaign uses it, or has sent a version of it.
    """
    try:
        EmailTemplate.objects.get(pk=template.pk).delete()
    except ProtectedError:
        raise Refused(_("campaigns use it, or have sent it")) from None


_NOT_YOURS = gettext_lazy(
    "it is kept exactly as written, which takes the permission to write HTML that is not "
    "sanitised; have what mail may not have left out, or ask somebody who has it"
)


def fingerprint(template: EmailTemplate, variants: Sequence[TemplateVariant] | None = None) -> str:
    """Return what stands for all that an author writes of a template, to see whether it changed.

    :param variants: in place of those that are saved.
    """
    draft = draft_of(template, variants)
    fallback, *others = draft.written
    in_order = (fallback, *sorted(others, key=lambda each: each.language))
    return _sha256([template.name, replace(draft, written=in_order).as_json()])


def check(
    template: EmailTemplate,
    *,
    variants: Sequence[TemplateVariant] | None = None,
    known: Collection[str],
) -> Compilation:
    """Compile a template that may not be saved yet, and render it in a process of its own.

    :param variants: in place of those that it has.
    :param known: as in `save_template`.
    """
    found = [*_value_faults(template, variants or ())]
    if found:
        return Compilation(problems=found)
    compilation = compile_draft(
        draft_of(template, variants), library=library(), known=known or None
    )
    if not compilation.problems:
        compilation.problems += rehearsed(tuple(compilation.contents))
    return compilation


def problems(template: EmailTemplate, *, known: Collection[str]) -> list[Problem]:
    """Return what would fail in sending: syntax, and names that no recipient has."""
    return compile_draft(draft_of(template), library=library(), known=known).problems


def unknown_fields(template: EmailTemplate, *, known: Collection[str] = ()) -> list[str]:
    """Return the names, in their order, that the content uses and nobody has."""
    found = (problem.unknown for problem in problems(template, known=known))
    return list(dict.fromkeys(name for name in found if name))


def restore(
    version: TemplateVersion,
    *,
    known: Collection[str],
    by: str = "",
    keep_raw: bool = False,
) -> TemplateVersion:
    """Make what was written then the present source again: a new save, with snippets of now.

    :param keep_raw: whether HTML that was kept exactly as written stays so, which is for those who
        may write such HTML; else it is sanitised.
    :raises Refused: its layout or a snippet is gone, or it has a fault by now.
    """
    draft = Draft.from_json(version.source)
    template = EmailTemplate.objects.get(versions=version)
    layout = Layout.objects.filter(name=draft.layout).first() if draft.layout else None
    if draft.layout and layout is None:
        raise Refused(
            _("%(version)s: there is no layout %(layout)r any more; create it first")
            % {"version": version, "layout": draft.layout}
        )
    fallback, *others = draft.written
    template.kind, template.layout = draft.kind, layout
    template.link_parameters = draft.link_parameters
    template.is_raw = draft.is_raw and keep_raw
    for column, value in fallback.columns().items():
        setattr(template, column, value)
    variants = [TemplateVariant(**each.columns()) for each in others]
    try:
        return save_template(
            template, variants=variants, known=known, by=by, may_write_raw=keep_raw
        )
    except Refused as refusal:
        raise Refused(
            _("%(version)s cannot be restored: %(refusal)s")
            % {"version": version, "refusal": refusal},
            refusal.problems,
        ) from None


@transaction.atomic
def freeze(template: EmailTemplate, *, by: str = "") -> TemplateVersion:
    """Return the version that holds the template's present content, made if there is none.

    :param by: the account that saved it.
    :raises Refused: the content has a fault, by now or still.
    """
    template = EmailTemplate.objects.select_for_update(of=("self",)).get(pk=template.pk)
    draft = draft_of(template)
    contents = sound(compile_draft(draft, library=library())).contents
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


def sound(compilation: Compilation) -> Compilation:
    """Return what has no problem.

    :raises Refused: naming each problem.
    """
    if found := compilation.problems:
        raise Refused("; ".join(str(problem) for problem in found), found)
    return compilation


def _save(template: EmailTemplate) -> None:
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError:  # somebody has taken the name since it was looked for
        sound(Compilation(problems=[*_name_faults(template)]))
        raise


def _not_overtaken(
    template: EmailTemplate, variants: Sequence[TemplateVariant] | None, seen: str
) -> None:
    """Refuse to put a text in the place of one that its author has never seen.

    What is the same as the text was sent twice, by a second press of the button.
    """
    saved = EmailTemplate.objects.select_for_update().filter(pk=template.pk).first()
    if saved and fingerprint(saved) not in {seen, fingerprint(template, variants)}:
        raise Overtaken(str(_OVERTAKEN), [Problem("template", None, str(_OVERTAKEN))])


_OVERTAKEN = gettext_lazy(
    "Somebody has saved this template since you opened it. Look at Versions, in another tab, for "
    "what they changed; save again to put what stands here in its place."
)


def _name_faults(template: EmailTemplate) -> Iterator[Problem]:
    if EmailTemplate.objects.filter(name=template.name).exclude(pk=template.pk).exists():
        message = _("there is a template %(name)r already; choose another name") % {
            "name": template.name
        }
        yield Problem("name", None, message)


def _value_faults(
    template: EmailTemplate, variants: Sequence[TemplateVariant]
) -> Iterator[Problem]:
    """Yield what is wrong with the values, apart from what they say."""
    yield from _name_faults(template)
    if template.layout and template.kind != Kind.MARKDOWN:
        yield Problem("layout", None, _("a layout is for Markdown; choose none"))
    seen = {template.language.lower()}  # as recipients have it, whatever the case
    sources: list[EmailTemplate | TemplateVariant] = [template, *variants]
    for source in sources:
        if not source.source.strip():
            kind = Kind(template.kind).label
            yield Problem(
                "source", None, _("a template needs %(kind)s") % {"kind": kind}, source.language
            )
        elif isinstance(source, TemplateVariant) and source.language.lower() in seen:
            said = {"language": source.language or _("none")}
            yield Problem("language", None, _("%(language)s stands there twice") % said)
        yield from _invalid(source)
        seen.add(source.language.lower())


def _invalid(source: EmailTemplate | TemplateVariant) -> Iterator[Problem]:
    if source.language and not _LANGUAGE.fullmatch(source.language):
        message = _("%(language)r is no language; write such as de or pt-BR") % {
            "language": source.language
        }
        yield Problem("language", None, message)
    try:
        source.clean_fields(exclude=["template", "layout", "source"])
    except ValidationError as error:
        for part, said in error.message_dict.items():
            if part != "subject" or source.subject:  # an empty one is said with the content
                yield Problem(part, None, " ".join(said), source.language)


def rehearsed(contents: tuple[CompiledContent, ...]) -> tuple[Problem, ...]:
    """List what goes wrong where contents are rendered in a process of their own."""
    return _rehearsed(contents, get_language() or settings.LANGUAGE_CODE)


# A form looks, and then saves the same; what was found is in words, so for readers of a language.
@lru_cache(maxsize=16)
def _rehearsed(contents: tuple[CompiledContent, ...], language: str) -> tuple[Problem, ...]:
    faults = rehearse(
        [Content(each.subject, each.html, each.text) for each in contents], language=language
    )
    return tuple(
        Problem(
            "source" if fault.part == "html" else fault.part,
            # The lines of the compiled HTML are not those of the author.
            fault.line if fault.part != "html" else None,
            fault.message,
            contents[fault.number].language,
        )
        for fault in faults
    )


def _replace_variants(template: EmailTemplate, variants: Sequence[TemplateVariant]) -> None:
    languages = [each.language for each in variants]
    template.variants.exclude(language__in=languages).delete()
    for each in variants:
        columns = Written.of(each).columns()
        template.variants.update_or_create(language=each.language, defaults=columns)


def _columns(content: CompiledContent) -> dict[str, object]:
    return {
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "links": list(content.links),
    }


def _digest(draft: Draft, contents: Sequence[CompiledContent]) -> str:
    compiled = [(one.language, one.subject, one.html, one.text) for one in contents]
    return _sha256([draft.as_json(), compiled])


def _sha256(values: Sequence[object]) -> str:
    whole = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(whole.encode(errors="surrogatepass")).hexdigest()
