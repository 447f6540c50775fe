"""Content that comes with a message and belongs to no template: compiled and tried like one."""

import hashlib
import json
from typing import Any

from django.db import transaction
from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat

from templates_app.compiling import CompiledContent, Library, compile_draft
from templates_app.drafts import Draft, Written
from templates_app.models import Kind, TemplateVersion
from templates_app.services import Refused, address_of_file, rehearsed, sound

# Not forgotten as long as whoever found it is not at their end: `forget` passes over it.
_KNOWN = """
SELECT id FROM templates_app_templateversion
 WHERE template_id IS NULL AND digest = %s FOR KEY SHARE
"""


def draft(*, subject: str, html: str, text: str) -> Draft:
    """Return what came with a message, as an author would have written it."""
    kind = Kind.HTML if html else Kind.TEXT
    return Draft(kind, (Written(subject, html or text, text if html else ""),))


def freeze(content: Draft) -> TemplateVersion:
    """Return the version of this content, made if there is none; in the caller's transaction.

    The same content, with other fields, is compiled and tried once. It may use no snippet: who
    sends it has put together what it says.

    :raises Refused: it has a fault.
    """
    digest = hashlib.sha256(json.dumps(content.as_json(), sort_keys=True).encode()).hexdigest()
    if known := _known(digest):
        return known
    [compiled] = _compiled(content)
    version = TemplateVersion(
        template=None,
        number=0,
        digest=digest,
        source=content.as_json(),
        subject=compiled.subject,
        html=compiled.html,
        text=compiled.text,
        links=list(compiled.links),
    )
    # Another one may come with the same at this moment: then it waits here, and has that one's.
    TemplateVersion.objects.bulk_create([version], ignore_conflicts=True)
    made = _known(digest)
    if made is None:
        raise Refused("the same content was being forgotten at this moment; try again")
    return made


def _known(digest: str) -> TemplateVersion | None:
    return next(iter(TemplateVersion.objects.raw(_KNOWN, [digest])), None)


def _compiled(content: Draft) -> list[CompiledContent]:
    compilation = sound(compile_draft(content, library=Library(media=address_of_file)))
    # Without a tag there is nothing to try, which takes a process of its own.
    if any("{" in each.subject + each.html + each.text for each in compilation.contents):
        compilation.problems += rehearsed(tuple(compilation.contents))
    return sound(compilation).contents


@transaction.atomic
def forget(*, but: QuerySet[Any, Any], most: int) -> int:
    """Forget contents that came with messages; return how many. Subjects stay: the ledger names
    messages by them.

    :param but: the ids of those that are still needed.
    """
    known = TemplateVersion.objects.filter(template=None).exclude(source={})
    idle = known.exclude(pk__in=but).select_for_update(skip_locked=True)
    ids = list(idle.values_list("pk", flat=True)[:most])
    # Asked once more: who took one up before it was locked has committed by now.
    return (
        TemplateVersion.objects.filter(pk__in=ids)
        .exclude(pk__in=but)
        .update(html="", text="", links=[], source={}, digest=_FORGOTTEN)
    )


def erase(versions: QuerySet[Any, Any], *, but: QuerySet[Any, Any]) -> None:
    """Erase what came with messages to one person, and to nobody else; subjects as well."""
    TemplateVersion.objects.filter(template=None, pk__in=versions).exclude(pk__in=but).update(
        subject="", html="", text="", links=[], source={}, digest=_FORGOTTEN
    )


_FORGOTTEN = Concat(Value("forgotten-"), Cast(F("pk"), CharField()))
