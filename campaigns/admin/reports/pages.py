"""The pages of one report: overview, links, domains, failures and people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse

from campaigns import previewing
from campaigns.admin.reports import charts, clickmap
from campaigns.admin.reports.files import FORMATS, file_of
from campaigns.models import Campaign, Run, RunQuerySet
from campaigns.reporting import people as who
from campaigns.reporting.domains import Domain, all_domains, domains
from campaigns.reporting.failures import failures
from campaigns.reporting.figures import figures, figures_by_run
from campaigns.reporting.funnel import Step, funnel, losses
from campaigns.reporting.links import FollowedLink, links_of_campaign, links_of_run
from campaigns.reporting.people import Asked, Did
from campaigns.reporting.shares import Share
from campaigns.reporting.timeline import Timeline, timeline
from recipients.addresses import BadAddress
from recipients.models import Tracking
from templates_app.branches import Ways
from templates_app.frames import framed
from templates_app.models import TemplateVersion, VersionVariant
from templates_app.rendering import NotPlain, RenderError, compile_content

RUNS_SHOWN = 50
_DIGITS = 18

Page = Callable[[HttpRequest, "Subject"], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about, and where its pages are."""

    model_admin: Any
    of: Run | Campaign

    @property
    def is_run(self) -> bool:
        return isinstance(self.of, Run)

    @property
    def runs(self) -> RunQuerySet:
        if isinstance(self.of, Run):
            return Run.objects.filter(pk=self.of.pk)
        return Run.objects.filter(campaign=self.of)

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.model_admin.opts.model_name}-{self.of.pk}"

    def url(self, page: str = "") -> str:
        return reverse(f"admin:{_name(self.model_admin, page)}", args=[self.of.pk])

    def context(self, request: HttpRequest, here: str, **own: Any) -> dict[str, Any]:
        pages = [("", "Overview"), ("links", "Links"), ("domains", "Domains")]
        pages.append(("failures", "Failures and departures"))
        if self.is_run and request.user.has_perm("recipients.view_recipient"):
            pages.append(("people", "Who did what"))
        return {
            **self.model_admin.admin_site.each_context(request),
            "title": f"Report: {self.of}",
            "opts": self.model_admin.opts,
            "original": self.of,
            "subject": self,
            "pages": [(self.url(page), title, page == here) for page, title in pages],
            "formats": FORMATS,
            "people_url": self.url("people") if pages[-1][0] == "people" else "",
            **own,
        }


def _name(model_admin: Any, page: str) -> str:
    opts = model_admin.opts
    return f"{opts.app_label}_{opts.model_name}_report{f'_{page}' if page else ''}"


def urls_of(model_admin: Any) -> list[Any]:
    """Return the pages beside the overview, which is an action of its own."""
    pages = dict(_PAGES)
    if model_admin.model is Run:
        pages["people"] = people_page

    def shown(page: Page) -> Any:
        def view(request: HttpRequest, pk: int) -> HttpResponseBase:
            return page(request, subject_of(model_admin, request, pk))

        return model_admin.admin_site.admin_view(view)

    return [
        path(f"<int:pk>/report/{page}/", shown(view), name=_name(model_admin, page))
        for page, view in pages.items()
    ]


def subject_of(model_admin: Any, request: HttpRequest, pk: Any) -> Subject:
    """Return what a report is about, for who may see it."""
    of = model_admin.get_object(request, str(pk))
    if of is None:
        raise Http404
    if not model_admin.has_view_permission(request, of):
        raise PermissionDenied
    return Subject(model_admin, of)


# --- overview ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Drawn:
    """A step with its bar of a hundred and a link to the people."""

    step: Step
    width: str
    url: str = ""


def overview_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    found = figures(subject.runs)
    context = subject.context(request, "")
    times = timeline(subject.runs)
    context |= {
        "figures": found,
        "funnel": _drawn(funnel(found), found.audience, context["people_url"]),
        "losses": _drawn(losses(found), found.audience, context["people_url"]),
        "timeline": times,
        "charts": _charts(times),
        "is_anonymous": _is(subject, Tracking.ANONYMOUS),
        "is_off": _is(subject, Tracking.OFF),
        "runs": [] if subject.is_run else _runs(subject),
    }
    return TemplateResponse(request, "campaigns/report_overview.html", context)


def _drawn(steps: Iterable[Step], whole: int, people_url: str) -> list[Drawn]:
    def url(step: Step) -> str:
        return f"{people_url}?did={step.did}" if people_url and step.did and step.count else ""

    return [Drawn(step, charts.width_of(step.count, whole), url(step)) for step in steps]


def _charts(times: Timeline) -> list[charts.Chart]:
    form = "%-d %b, %H:00" if times.is_hourly else "%-d %b %Y"
    kinds = (
        ("Sent", "sent", [moment.sent for moment in times.moments]),
        ("Opened by people", "opened", [moment.opened for moment in times.moments]),
        ("Clicked by people", "clicked", [moment.clicked for moment in times.moments]),
    )
    names = [f"{moment.at:{form}}" for moment in times.moments]
    return charts.charts(names, kinds)


def _is(subject: Subject, mode: Tracking) -> bool:
    return isinstance(subject.of, Run) and subject.of.tracking == mode


def _runs(subject: Subject) -> list[tuple[Run, Any, str]]:
    newest = list(subject.runs.newest_first()[:RUNS_SHOWN])
    found = figures_by_run(Run.objects.filter(pk__in=[run.pk for run in newest]))
    return [
        (run, found[run.pk], reverse("admin:campaigns_run_report", args=[run.pk])) for run in newest
    ]


# --- links ------------------------------------------------------------------------------------


def links_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    of = subject.of
    found = links_of_run(of.pk) if isinstance(of, Run) else links_of_campaign(of.pk)
    if form := request.GET.get("format"):
        head = ("number", "label", "target", "language", "people", "unique", "total")
        rows = ((link.number + 1, *astuple(link)[1:]) for link in found)
        return file_of(form, f"{subject.name}-links", head, rows)
    clicked = figures(subject.runs).clicks
    context = subject.context(
        request,
        "links",
        links=[(link, Share(link.people, clicked.people)) for link in found],
        clicks=clicked,
        frames=_frames(of.version, found) if isinstance(of, Run) else [],
    )
    return TemplateResponse(
        request,
        "campaigns/report_links.html",
        context,
        headers={"Content-Security-Policy": "frame-src 'none'"},  # the message is in the page
    )


def _frames(version: TemplateVersion, links: Sequence[FollowedLink]) -> list[tuple[str, str]]:
    """Return the message of each language as a document with numbers, under its language."""
    return [
        (one.language, framed(_filled(one, clickmap.with_numbers(one.html, own))))
        for one in version.contents()
        if (own := [link for link in links if link.language == one.language])
    ]


def _filled(content: TemplateVersion | VersionVariant, html: str) -> str:
    """Return HTML with invented values; with its tags, where they cannot be filled in."""
    subject, text, language = content.subject, content.text, content.language
    ways = Ways(subject=subject, html=content.html, text=text, language=language)
    own = {tag.name for tag in previewing.own_tags()}
    values = ways.shaped(previewing.invented(set(ways.reads) - own))
    try:
        compiled = compile_content(subject=subject, html=html, text=text, language=language)
        return compiled.render(previewing.Reader("", values).context()).html
    except (NotPlain, RenderError, ValueError):
        return html  # it was sent to people who have these fields


# --- domains, failures ------------------------------------------------------------------------


def domains_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    if form := request.GET.get("format"):
        rows = (astuple(row) for row in all_domains(subject.runs))
        head = tuple(Domain.__dataclass_fields__)
        return file_of(form, f"{subject.name}-domains", head, rows)
    found = [_with_shares(row) for row in domains(subject.runs)]
    context = subject.context(request, "domains", domains=found)
    return TemplateResponse(request, "campaigns/report_domains.html", context)


def _with_shares(row: Domain) -> tuple[Domain, list[tuple[str, Share]]]:
    counts = (row.bounced, row.opened, row.clicked, row.unsubscribed, row.complained)
    names = ("Bounced", "Opened", "Clicked", "Unsubscribed", "Complained")
    return row, [(name, Share(count, row.sent)) for name, count in zip(names, counts, strict=True)]


def failures_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    found, departures = failures(subject.runs)
    context = subject.context(request, "failures", failures=found, departures=departures)
    return TemplateResponse(request, "campaigns/report_failures.html", context)


# --- who did what -----------------------------------------------------------------------------


def people_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    """Show those who did what was asked for, or one person; for who may see recipients."""
    if not request.user.has_perm("recipients.view_recipient"):
        raise PermissionDenied
    run_id, asked = int(subject.of.pk), _asked(request)
    if form := request.GET.get("format"):
        return _people_file(request, subject, asked, form)
    context = subject.context(
        request,
        "people",
        asked=asked,
        dids=Did.choices,
        links=[(link.number, link) for link in links_of_run(run_id)],
        may_export=request.user.has_perm("recipients.export_recipient"),
    )
    address = request.GET.get("address", "").strip()
    if address:
        context |= _one(run_id, address)
    else:
        context["page"] = who.people(run_id, asked)
    return TemplateResponse(request, "campaigns/report_people.html", context)


def _one(run_id: int, address: str) -> dict[str, Any]:
    try:
        found = who.person(run_id, address)
    except BadAddress as error:
        return {"searched": address, "problem": f"This is not an address: {error}."}
    return {"searched": address, "page": who.PeoplePage([found] if found else [])}


def _asked(request: HttpRequest) -> Asked:
    did, link = request.GET.get("did", Did.OPENED), _number(request, "link")
    if did not in Did.values:
        raise Http404(f"nobody is asked whether they {did!r}")
    return Asked(
        Did(did),
        link if did == Did.CLICKED else None,
        after=_number(request, "after") or 0,
        before=_number(request, "before") or 0,
    )


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if is_id(text) else None


def is_id(text: str) -> bool:
    """Whether this is a number that a bigint has room for."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


_HEAD = (
    "address", "state", "opened_at", "clicked_at", "machines_only", "bounced_at", "hard",
    "unsubscribed_at", "complained_at", "reasons",
)  # fmt: skip


def _people_file(
    request: HttpRequest, subject: Subject, asked: Asked, form: str
) -> HttpResponseBase:
    if not request.user.has_perm("recipients.export_recipient"):
        raise PermissionDenied
    if form not in FORMATS:
        raise Http404(f"no format {form!r}")
    link = f", link {asked.link + 1}" if asked.link is not None else ""
    subject.model_admin.log_change(
        request, subject.of, f"Exported those who {asked.did.label}{link}, as {form}"
    )
    rows = (_row(person) for person in who.everybody(int(subject.of.pk), asked))
    return file_of(form, f"{subject.name}-{asked.did}", _HEAD, rows)


def _row(person: who.Person) -> tuple[Any, ...]:
    return (
        person.address,
        person.state,
        _iso(person.opened_at),
        _iso(person.clicked_at),
        person.is_machine,
        _iso(person.bounced_at),
        person.is_hard,
        _iso(person.unsubscribed_at),
        _iso(person.complained_at),
        person.reasons,
    )


def _iso(at: datetime | None) -> str:
    return at.isoformat(timespec="seconds") if at else ""


_PAGES: dict[str, Page] = {
    "links": links_page,
    "domains": domains_page,
    "failures": failures_page,
}
