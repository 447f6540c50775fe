"""The console's pages in a long history: of every model its list, and of one row its page."""

from collections.abc import Mapping
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django_celery_results.models import TaskResult

from campaigns.models import Run
from recipients.models import MailingList, Recipient
from tracking.models import Delivery

# What is found by, of the models that have a row for each recipient or message.
_ASKED: Mapping[type[Model], tuple[str, ...]] = {
    Recipient: (
        "q={recipient.address}",
        "q=nobody@example.org",
        "list={list.pk}",
        "suppressed=yes",
    ),
    Delivery: (
        "q={recipient.address}",
        "run={run.pk}",
        "run={run.pk}&q={recipient.address}",
        "p=200",
    ),
    TaskResult: ("q={result.task_id}", "p=200"),
}


def pages(run: Run) -> Mapping[str, str]:
    """Return the address of each page, of a history that has this run as its largest."""
    known = {
        "run": run,
        "recipient": Recipient.objects.earliest("pk"),
        "list": MailingList.objects.latest("pk"),
        "result": TaskResult.objects.earliest("pk"),
    }
    found: dict[str, str] = {}
    for model in filter(admin.site.is_registered, apps.get_models()):
        found |= _of(model, known)
    return found


def _of(model: Any, known: Mapping[str, Any]) -> Mapping[str, str]:
    opts = admin.site.get_model_admin(model).opts
    name, prefix = (
        f"console: {opts.verbose_name_plural}",
        f"admin:{opts.app_label}_{opts.model_name}",
    )
    listed = reverse(f"{prefix}_changelist")
    found = {name: listed}
    for asked in _ASKED.get(model, ()):
        query = asked.format(**known)
        found[f"{name}, {query}"] = f"{listed}?{query}"
    if (row := model.objects.order_by("pk").first()) is not None:
        found[f"{name}, one"] = reverse(f"{prefix}_change", args=[row.pk])
    return found
