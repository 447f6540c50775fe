"""The versions of a template: who saved each, what was sent of it, how two differ; restoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import UnfoldBooleanWidget

from campaigns.admin.templates.common import change_url, is_number
from campaigns.models import Campaign, CampaignStatus, Run
from recipients.admin.verb_page import Verb, verb_page
from recipients.sentences import sentence
from templates_app.comparing import Change, compare
from templates_app.drafts import Draft, draft_of
from templates_app.forms import SanitiseField, known_fields, may_write_raw
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.services import Refused, restore

_PER_PAGE = 50
_MOST_RUNS = 200  # of a page; a campaign may repeat for years
_NAMES = {
    "kind": "Kind",
    "layout": "Layout",
    "link_parameters": "Link parameters",
    "is_raw": "HTML exactly as written",
    "language": "Language",
    "subject": "Subject",
    "preheader": "Preheader",
    "source": "Source",
    "text": "Text part",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A version with the campaigns that hold it and the runs that sent it."""

    version: TemplateVersion
    campaigns: Sequence[Campaign]
    runs: Sequence[Run]


class RestoreForm(forms.Form):
    """What becomes of HTML that was kept exactly as written; of other versions nothing is asked."""

    keep_raw = forms.BooleanField(
        label="Keep its HTML exactly as written",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="As it was then. Scripts, forms and all else that mail may not have are sent as "
        "well, those in its snippets and its layout too, which may have changed since.",
    )
    sanitise = SanitiseField()

    def __init__(self, *args: Any, is_raw: bool, may_write_raw: bool) -> None:
        super().__init__(*args)
        if not (is_raw and may_write_raw):
            del self.fields["keep_raw"]
        if not is_raw or may_write_raw:
            del self.fields["sanitise"]


def page(model_admin: Any, request: HttpRequest, template: EmailTemplate) -> HttpResponse:
    versions = template.versions.defer("html", "text", "links").order_by("-number")
    shown = Paginator(versions, _PER_PAGE).get_page(request.GET.get("page"))
    present = versions.filter(source=draft_of(template).as_json()).first()
    old, new = (_asked(template, request.GET.get(name, "")) for name in ("from", "to"))
    context = {
        **model_admin.page_context(request, template),
        "title": f"Versions: {template}",
        "rows": _rows(list(shown)),
        "page": shown,
        "present": present,
        "old": old,
        "new": new,
        "changes": _changes(old, new) if old and new else None,
    }
    return TemplateResponse(request, "campaigns/template_versions.html", context)


def version_of(template: EmailTemplate, number: int) -> TemplateVersion:
    version = template.versions.filter(number=number).first()
    if version is None:
        raise Http404
    return version


def version_to_edit(
    model_admin: Any, request: HttpRequest, *, template_id: int, number: int
) -> TemplateVersion:
    """Return a version of a template that whoever asks may change."""
    template = model_admin.template(request, template_id)
    if not model_admin.may_edit(request, template):
        raise PermissionDenied
    return version_of(template, number)


def restore_page(
    model_admin: Any, request: HttpRequest, *, template_id: int, number: int
) -> HttpResponse:
    version = version_to_edit(model_admin, request, template_id=template_id, number=number)
    template = version.template
    data = request.POST if request.method == "POST" else None
    form = RestoreForm(data, is_raw=_is_raw(version), may_write_raw=may_write_raw(request))
    if form.is_valid():
        try:
            keep_raw = form.cleaned_data.get("keep_raw", False)
            return _restore(model_admin, request, version, keep_raw=keep_raw)
        except Refused as refusal:
            form.add_error(None, sentence(refusal))
    verb = Verb(
        "Restore",
        f"What was written in version {number} becomes the present content again, with snippets "
        "as they are now. What is scheduled stays as it is.",
        f"Restore version {number}",
    )
    back = reverse("admin:templates_app_emailtemplate_history", args=[template.pk])
    facts = _facts(version)
    return verb_page(model_admin, request, verb, form, back=back, original=template, facts=facts)


def _facts(version: TemplateVersion) -> list[tuple[str, str]]:
    return [
        ("Subject", version.subject),
        ("Saved", f"{version.created_at:%Y-%m-%d %H:%M} UTC"),
        ("By", version.saved_by or "a program"),
        ("HTML", "exactly as written" if _is_raw(version) else "without what mail may not have"),
    ]


def _is_raw(version: TemplateVersion) -> bool:
    return Draft.from_json(version.source).is_raw


def scheduled_with_another(version: TemplateVersion) -> list[str]:
    """Name the campaigns that will send an earlier version of the same template."""
    campaigns = Campaign.objects.filter(
        status=CampaignStatus.SCHEDULED, version__template=version.template_id
    ).exclude(version=version)
    return [f"{each} ({each.version})" for each in campaigns.select_related("version__template")]


def _restore(
    model_admin: Any, request: HttpRequest, version: TemplateVersion, *, keep_raw: bool
) -> HttpResponse:
    restored = restore(
        version, known=known_fields(), by=request.user.get_username(), keep_raw=keep_raw
    )
    template = restored.template
    model_admin.log_change(request, template, f"Version {version.number} restored")
    said = f"Version {version.number} is restored; it is version {restored.number} now."
    if restored.number == version.number:
        said = f"Version {version.number} is the present content again."
    if _is_raw(version) and not keep_raw:
        said += " What mail may not have is left out."
    model_admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(change_url(template))


def _rows(versions: Sequence[TemplateVersion]) -> list[Row]:
    runs = (
        Run.objects.filter(version__in=versions)
        .select_related("campaign")
        .order_by("-pk")[:_MOST_RUNS]
    )
    campaigns = Campaign.objects.filter(version__in=versions).order_by("name")
    return [
        Row(
            version,
            [each for each in campaigns if each.version_id == version.pk],
            [each for each in runs if each.version_id == version.pk],
        )
        for version in versions
    ]


def _asked(template: EmailTemplate, number: str) -> TemplateVersion | None:
    return template.versions.filter(number=int(number)).first() if is_number(number) else None


def _changes(old: TemplateVersion, new: TemplateVersion) -> list[tuple[str, Change]]:
    changes = compare(Draft.from_json(old.source), Draft.from_json(new.source))
    return [(_title(change), change) for change in changes]


def _title(change: Change) -> str:
    name = _NAMES[change.part]
    return f"{name} ({change.language})" if change.language else name
