"""The pages of one report: overview, links, domains, failures and people."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from campaigns import previewing
from campaigns.models import Campaign, Run, RunQuerySet
from campaigns.reporting import people as who
from campaigns.reporting.domains import Domain, all_domains, domains
from campaigns.reporting.failures import failures
from campaigns.reporting.figures import figures, figures_by_run
from campaigns.reporting.funnel import Step, funnel, losses
from campaigns.reporting.links import FollowedLink, links_of_run, links_of_runs
from campaigns.reporting.people import Asked, Did
from campaigns.reporting.shares import Share
from campaigns.reporting.timeline import Timeline, timeline
from campaigns.views.reports import charts, clickmap
from campaigns.views.reports.files import FORMATS, file_of
from recipients import noting
from recipients.addresses import BadAddress
from recipients.models import Tracking
from recipients.paging import key_of
from templates_app.branches import Ways
from templates_app.models import TemplateVersion, VersionVariant
from templates_app.rendering import NotPlain, RenderError, compile_content

RUNS_SHOWN = 50

Page = Callable[[HttpRequest, "Subject"], HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about, and where its pages are."""

    of: Run | Campaign
    shown: RunQuerySet
    """The runs that the reader may see."""

    @property
    def is_run(self) -> bool:
        return isinstance(self.of, Run)

    @property
    def kind(self) -> str:
        return "run" if self.is_run else "campaign"

    @property
    def runs(self) -> RunQuerySet:
        if isinstance(self.of, Run):
            return self.shown.filter(pk=self.of.pk)
        return self.shown.filter(campaign=self.of)

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.kind}-{self.of.pk}"

    @property
    def back(self) -> str:
        """The address of the page of what the report is about."""
        return reverse(f"campaigns:{self.kind}_detail", args=[self.of.pk])

    def url(self, page: str = "") -> str:
        return reverse(f"campaigns:{url_name(self.kind, page)}", args=[self.of.pk])

    def context(self, request: HttpRequest, here: str, **own: Any) -> dict[str, Any]:
        pages = [("", _("Overview")), ("links", _("Links")), ("domains", _("Domains"))]
        pages.append(("failures", _("Failures and departures")))
        if self.is_run and request.user.has_perm("recipients.view_recipient"):
            pages.append(("people", _("Who did what")))
        return {
            "title": _("Report: %s") % self.of,
            "subject": self,
            "pages": [(self.url(page), title, page == here) for page, title in pages],
            "formats": FORMATS,
            "people_url": self.url("people") if pages[-1][0] == "people" else "",
            **own,
        }


def url_name(kind: str, page: str) -> str:
    """Return the name of the URL of a report's page; `kind` is `run` or `campaign`."""
    return f"{kind}_report{page and f'_{page}'}"


@require_safe
def report(request: HttpRequest, pk: int, kind: str, page: str) -> HttpResponseBase:
    """Show a page of the report of a run or of a campaign."""
    return PAGES[page](request, _subject(request, kind, pk))


def _subject(request: HttpRequest, kind: str, pk: int) -> Subject:
    """Return what a report is about, for who may see it.

    :raises Http404:
    """
    runs = Run.objects.visible_to(request.user)
    of: Run | Campaign
    if kind == "run":
        of = get_object_or_404(runs.select_related("campaign", "version"), pk=pk)
    else:
        of = get_object_or_404(Campaign.objects.visible_to(request.user), pk=pk)
    return Subject(of, runs)


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
    return render(request, "campaigns/report_overview.html", context)


def _drawn(steps: Iterable[Step], whole: int, people_url: str) -> list[Drawn]:
    def url(step: Step) -> str:
        return f"{people_url}?did={step.did}" if people_url and step.did and step.count else ""

    return [Drawn(step, charts.width_of(step.count, whole), url(step)) for step in steps]


def _charts(times: Timeline) -> list[charts.Chart]:
    kinds = (
        (_("Sent"), "sent", [moment.sent for moment in times.moments]),
        (_("Opened by people"), "opened", [moment.opened for moment in times.moments]),
        (_("Clicked by people"), "clicked", [moment.clicked for moment in times.moments]),
    )
    names = [_name_of(moment.at, is_hourly=times.is_hourly) for moment in times.moments]
    return charts.charts(names, kinds)


def _name_of(at: datetime, *, is_hourly: bool) -> str:
    if is_hourly:
        return f"{date_format(at, 'MONTH_DAY_FORMAT')}, {date_format(at, 'TIME_FORMAT')}"
    return date_format(at, "DATE_FORMAT")


def _is(subject: Subject, mode: Tracking) -> bool:
    return isinstance(subject.of, Run) and subject.of.tracking == mode


def _runs(subject: Subject) -> list[tuple[Run, Any, str]]:
    newest = list(subject.runs.newest_first()[:RUNS_SHOWN])
    found = figures_by_run(Run.objects.filter(pk__in=[run.pk for run in newest]))
    return [(run, found[run.pk], reverse("campaigns:run_report", args=[run.pk])) for run in newest]


def _file(
    subject: Subject, what: str, form: str, head: Sequence[str], rows: Iterable[Sequence[Any]]
) -> HttpResponseBase:
    answer = file_of(form, f"{subject.name}-{what}", head, rows)
    noting.note("downloaded", kind=f"campaigns.{subject.kind}", pk=subject.of.pk, name=what)
    return answer


# --- links ------------------------------------------------------------------------------------


def links_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    of = subject.of
    found = links_of_run(of.pk) if isinstance(of, Run) else links_of_runs(subject.runs)
    if form := request.GET.get("format"):
        head = ("number", "label", "target", "language", "people", "unique", "total")
        rows = ((link.number + 1, *astuple(link)[1:]) for link in found)
        return _file(subject, "links", form, head, rows)
    clicked = figures(subject.runs).clicks
    languages = [one.language for one, _links in _counted(of, found)]
    context = subject.context(
        request,
        "links",
        links=[(link, Share(link.people, clicked.people)) for link in found],
        clicks=clicked,
        languages=languages,
        map_url=subject.url("map") if languages else "",
    )
    return render(request, "campaigns/report_links.html", context)


def map_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    """Show the message of a language with the numbers of its links, inside the page of links."""
    asked = request.GET.get("language", "")
    for content, links in _counted(subject.of, links_of_run(subject.of.pk)):
        if content.language == asked:
            html = _filled(content, clickmap.with_numbers(content.html, links))
            return clickmap.in_frame(html)
    raise Http404(f"no link of a message in {asked!r} is counted")


def _counted(
    of: Run | Campaign, links: Sequence[FollowedLink]
) -> list[tuple[TemplateVersion | VersionVariant, list[FollowedLink]]]:
    """Return the content of each language with its links, where there are any."""
    contents = of.version.contents() if isinstance(of, Run) else []
    return [
        (one, own)
        for one in contents
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
        return _file(subject, "domains", form, head, rows)
    found = [_with_shares(row) for row in domains(subject.runs)]
    context = subject.context(request, "domains", domains=found)
    return render(request, "campaigns/report_domains.html", context)


def _with_shares(row: Domain) -> tuple[Domain, list[Share]]:
    counts = (row.bounced, row.opened, row.clicked, row.unsubscribed, row.complained)
    return row, [Share(count, row.sent) for count in counts]


def failures_page(request: HttpRequest, subject: Subject) -> HttpResponseBase:
    found, departures = failures(subject.runs)
    context = subject.context(request, "failures", failures=found, departures=departures)
    return render(request, "campaigns/report_failures.html", context)


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
    return render(request, "campaigns/report_people.html", context)


def _one(run_id: int, address: str) -> dict[str, Any]:
    try:
        found = who.person(run_id, address)
    except BadAddress as error:
        return {"searched": address, "problem": _("This is not an address: %s.") % error}
    return {"searched": address, "page": who.PeoplePage([found] if found else [])}


def _asked(request: HttpRequest) -> Asked:
    did, link = request.GET.get("did", Did.OPENED), key_of(request.GET.get("link", ""))
    if did not in Did.values:
        raise Http404(f"nobody is asked whether they {did!r}")
    return Asked(
        Did(did),
        link if did == Did.CLICKED else None,
        after=key_of(request.GET.get("after", "")) or 0,
        before=key_of(request.GET.get("before", "")) or 0,
    )


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
    said = f"{asked.did}{link}"
    noting.note("downloaded", kind="campaigns.run", pk=subject.of.pk, name=said)
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


PAGES: dict[str, Page] = {
    "": overview_page,
    "links": links_page,
    "domains": domains_page,
    "failures": failures_page,
    "people": people_page,
    "map": map_page,
}
OF_RUNS = ("people", "map")
"""Pages that the report of a campaign does not have."""
