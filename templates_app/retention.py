"""Delete versions of templates that nobody has sent and nobody is going to, in small steps."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from templates_app.models import EmailTemplate, TemplateVersion

BATCH = 100  # templates in one transaction; a version may have a megabyte


def forget_versions(*, before: datetime, but: "list[QuerySet[Any, Any]]") -> int:
    """Delete versions that are older and not their template's newest; return how many.

    Nobody waits for it, and it waits for nobody: who schedules a campaign holds the template
    (`services.freeze`), which is left for the next time then.

    :param but: ids of those that are needed.
    """
    forgotten, after = 0, 0
    while ids := _templates(_idle(before, but).filter(template__gt=after)):
        forgotten += _forget(ids, before=before, but=but)
        after = ids[-1]
    return forgotten


def _idle(before: datetime, but: "list[QuerySet[Any, Any]]") -> "QuerySet[TemplateVersion]":
    newer = TemplateVersion.objects.filter(
        template=OuterRef("template"), number__gt=OuterRef("number")
    )
    idle = TemplateVersion.objects.filter(Exists(newer), created_at__lt=before)
    for needed in but:
        idle = idle.exclude(pk__in=needed)
    return idle


def _templates(versions: "QuerySet[TemplateVersion]") -> list[int]:
    ids = versions.order_by("template").values_list("template", flat=True).distinct()
    return list(ids[:BATCH])  # without a template none is newer


@transaction.atomic
def _forget(ids: list[int], *, before: datetime, but: "list[QuerySet[Any, Any]]") -> int:
    held = EmailTemplate.objects.filter(pk__in=ids).select_for_update(skip_locked=True)
    # Asked once more: who froze one before it was held has committed by now.
    idle = _idle(before, but).filter(template__in=list(held.values_list("pk", flat=True)))
    count = idle.count()
    idle.delete()
    return count
