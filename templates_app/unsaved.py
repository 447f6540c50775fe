"""What authors write and have not saved: one draft for each of them, of each template."""

from collections.abc import Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from templates_app.models import EmailTemplate, TemplateDraft


class Overtaken(Exception):
    """The same author has kept something newer, in another window."""


def keep(
    template: EmailTemplate,
    *,
    author_id: int,
    typed: Mapping[str, str],
    base: str,
    revision: int,
    now: datetime,
) -> int:
    """Keep what is typed; return the revision that the next one follows.

    :param template: one without an id stands for a new one.
    :param base: the `fingerprint` of the template that its author has before them.
    :param revision: of the draft that is replaced; 0 where there is none.
    :raises Overtaken: there is another draft by now, which stays.
    """
    values = {"typed": dict(typed), "base": base, "saved_at": now}
    mine = TemplateDraft.objects.filter(template_id=template.pk, author_id=author_id)
    if revision:
        if not mine.filter(revision=revision).update(revision=revision + 1, **values):
            raise Overtaken
        return revision + 1
    try:
        with transaction.atomic():
            TemplateDraft.objects.create(
                template_id=template.pk, author_id=author_id, revision=1, **values
            )
    except IntegrityError:
        raise Overtaken from None
    return 1


def of(template: EmailTemplate, *, author_id: int) -> TemplateDraft | None:
    return TemplateDraft.objects.filter(template_id=template.pk, author_id=author_id).first()


def forget(template: EmailTemplate, *, author_id: int, revision: int | None = None) -> None:
    """Throw a draft away: any, or only the one of this revision."""
    found = TemplateDraft.objects.filter(template_id=template.pk, author_id=author_id)
    (found if revision is None else found.filter(revision=revision)).delete()
