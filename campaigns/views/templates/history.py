"""The versions of a template: who saved each, what was sent of it, how two differ; restoring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from campaigns.models import Campaign, CampaignStatus, Run
from campaigns.views.templates.frame import found, is_number, page, url_of, version_of
from recipients.models.lists import Viewer
from recipients.sentences import sentence
from templates_app.comparing import Change, compare
from templates_app.drafts import Draft, draft_of
from templates_app.forms import SanitiseField, known_fields, may_write_raw
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.services import Refused, restore

_PER_PAGE = 50
_MOST_RUNS = 200  # of a page; a campaign may repeat for years
_NAMES = {
    "kind": gettext_lazy("Kind"),
    "layout": gettext_lazy("Layout"),
    "link_parameters": gettext_lazy("Link parameters"),
    "is_raw": gettext_lazy("HTML exactly as written"),
    "language": gettext_lazy("Language"),
    "subject": gettext_lazy("Subject"),
    "preheader": gettext_lazy("Preheader"),
    "source": gettext_lazy("Source"),
    "text": gettext_lazy("Text part"),
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
        label=gettext_lazy("Keep its HTML exactly as written"),
        required=False,
        help_text=gettext_lazy(
            "As it was then. Scripts, forms and all else that mail may not have are sent as well,"
            " those in its snippets and its layout too, which may have changed since."
        ),
    )
    sanitise = SanitiseField()

    def __init__(self, *args: Any, is_raw: bool, may_write_raw: bool) -> None:
        super().__init__(*args)
        if not (is_raw and may_write_raw):
            del self.fields["keep_raw"]
        if not is_raw or may_write_raw:
            del self.fields["sanitise"]


@require_safe
def template_versions(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the versions, who saved each, what was sent of it, and how two differ."""
    template = found(pk)
    versions = template.versions.defer("html", "text", "links").order_by("-number")
    shown = Paginator(versions, _PER_PAGE).get_page(request.GET.get("page"))
    present = versions.filter(source=draft_of(template).as_json()).first()
    old, new = (_asked(template, request.GET.get(name, "")) for name in ("from", "to"))
    return page(
        request,
        "versions",
        template,
        here="versions",
        rows=_rows(request, list(shown)),
        page=shown,
        present=present,
        old=old,
        new=new,
        changes=_changes(old, new) if old and new else None,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def template_restore(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    template = found(pk)
    version = version_of(template, number)
    data = request.POST if request.method == "POST" else None
    form = RestoreForm(data, is_raw=_is_raw(version), may_write_raw=may_write_raw(request))
    if form.is_valid():
        try:
            keep_raw = form.cleaned_data.get("keep_raw", False)
            return _restore(request, template, version, keep_raw=keep_raw)
        except Refused as refusal:
            form.add_error(None, sentence(refusal))
    return page(
        request,
        "restore",
        template,
        here="versions",
        status=422 if form.errors else 200,
        version=version,
        is_raw=_is_raw(version),
        form=form,
    )


def _is_raw(version: TemplateVersion) -> bool:
    return Draft.from_json(version.source).is_raw


def scheduled_with_another(version: TemplateVersion, *, user: Viewer) -> list[str]:
    """Name those that this user sees of the campaigns that will send an earlier version."""
    campaigns = (
        Campaign.objects.visible_to(user)
        .filter(status=CampaignStatus.SCHEDULED, version__template=version.template_id)
        .exclude(version=version)
    )
    return [f"{each} ({each.version})" for each in campaigns.select_related("version__template")]


def _restore(
    request: HttpRequest, template: EmailTemplate, version: TemplateVersion, *, keep_raw: bool
) -> HttpResponse:
    restored = restore(
        version, known=known_fields(), by=request.user.get_username(), keep_raw=keep_raw
    )
    numbers = {"old": version.number, "new": restored.number}
    said = _("Version %(old)s is restored; it is version %(new)s now.") % numbers
    if restored.number == version.number:
        said = _("Version %s is the present content again.") % version.number
    if _is_raw(version) and not keep_raw:
        said += " " + _("What mail may not have is left out.")
    messages.success(request, said)
    return redirect(url_of(template, "edit"))


def _rows(request: HttpRequest, versions: Sequence[TemplateVersion]) -> list[Row]:
    runs = (
        Run.objects.visible_to(request.user)
        .filter(version__in=versions)
        .select_related("campaign")
        .order_by("-pk")[:_MOST_RUNS]
    )
    shown = Campaign.objects.visible_to(request.user)
    campaigns = shown.filter(version__in=versions).order_by("name")
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
    return titled(compare(Draft.from_json(old.source), Draft.from_json(new.source)))


def titled(changes: Sequence[Change]) -> list[tuple[str, Change]]:
    """Return each change with what it is called."""
    return [(_title(change), change) for change in changes]


def _title(change: Change) -> str:
    name = str(_NAMES[change.part])
    return f"{name} ({change.language})" if change.language else name
