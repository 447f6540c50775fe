"""Files of recipients, from the upload to the result: columns and rules, check, import, undo."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from recipients import noting
from recipients.forms.imports import LayoutForm, UploadForm, initial_columns, reading
from recipients.fragments import fragment
from recipients.hurry import hurry_after_commit
from recipients.importing import jobs, rejects, undoing
from recipients.importing.detect import Preview, preview
from recipients.importing.layout import BadFile, Layout
from recipients.models import Import, ImportStatus
from recipients.paging import key_page
from recipients.sentences import sentence
from recipients.tasks import work_on
from recipients.translatable import number
from recipients.views.seen import imports_of, lists_of
from recipients.views.verb_page import Verb, verb_page

FIRST_ROWS = 5
OFTEN = 2  # seconds

_MAPPED = (ImportStatus.MAPPING, ImportStatus.CHECKED)
_UNDER_WAY = (ImportStatus.CHECKING, ImportStatus.IMPORTING)
_UNDOABLE = (ImportStatus.DONE, ImportStatus.STOPPED)

# What the list can be narrowed to: `?state=`.
GROUPS: Mapping[str, tuple[Any, tuple[ImportStatus, ...]]] = {
    "waiting": (gettext_lazy("Waiting for you"), (*_MAPPED, ImportStatus.STOPPED)),
    "moving": (gettext_lazy("Under way"), _UNDER_WAY),
    "done": (gettext_lazy("Done"), (ImportStatus.DONE,)),
    "gone": (gettext_lazy("Failed or undone"), (ImportStatus.FAILED, ImportStatus.UNDONE)),
}
UNDO = Verb(
    gettext_lazy("Undo the import"),
    gettext_lazy(
        "Recipients that it brought are deleted, those that it changed get back what they had, its"
        " subscriptions and tags go. It is refused if any of the new ones was sent something."
    ),
    gettext_lazy("Undo the import"),
    is_final=True,
)

_STEPS = (
    gettext_lazy("File"),
    gettext_lazy("Columns and rules"),
    gettext_lazy("Check"),
    gettext_lazy("Result"),
)
_STEP_OF = {ImportStatus.MAPPING: 1, ImportStatus.CHECKING: 2, ImportStatus.CHECKED: 2}


# --- the pages ------------------------------------------------------------------------------------


@require_safe
@never_cache
def import_list(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    imports = imports_of(request).select_related("created_by")
    if state in GROUPS:
        imports = imports.filter(status__in=GROUPS[state][1])
    groups = [(name, title) for name, (title, _states) in GROUPS.items()]
    context = {"page": key_page(imports, request.GET), "groups": groups, "state": state}
    return render(request, "recipients/import_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def import_add(request: HttpRequest) -> HttpResponse:
    """Take a file, and say how it would be read; nothing is imported yet."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            importing = jobs.begin(file, name=file.name, by=request.user)  # type: ignore[arg-type]
        except BadFile as error:
            form.add_error("file", sentence(error))
        else:
            return redirect("recipients:import_columns", importing.pk)
    context = {"form": form, "steps": _steps(0)}
    return render(
        request, "recipients/import_add.html", context, status=422 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show where an import stands, for good; or let it go on, stop, or be discarded (POST)."""
    importing = get_object_or_404(imports_of(request), pk=pk)
    if request.method == "POST":
        return _act(request, importing)
    may_change = request.user.has_perm("recipients.change_import")
    if importing.status == ImportStatus.MAPPING and may_change:
        return redirect("recipients:import_columns", pk)
    return _show(request, importing)


@require_safe
def import_now(request: HttpRequest, pk: int) -> HttpResponse:
    importing = get_object_or_404(imports_of(request), pk=pk)
    page = reverse("recipients:import_detail", args=[pk])
    answer = fragment(request, "recipients/_import_now.html", _facts(importing), page=page)
    if importing.status not in _UNDER_WAY:
        answer.headers["HX-Refresh"] = "true"  # other verbs are possible now
    return answer


@require_safe
@never_cache
def import_rejected(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Answer with the rows that were not imported, and why; they hold people's data."""
    importing = get_object_or_404(imports_of(request), pk=pk)
    noting.note("downloaded", kind="recipients.import", pk=importing.pk, name="rejected rows")
    headers = {"Content-Disposition": f'attachment; filename="rejected-{importing.pk}.csv"'}
    lines = rejects.lines(importing)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def import_undo(request: HttpRequest, pk: int) -> HttpResponse:
    importing = get_object_or_404(imports_of(request), pk=pk)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            deleted = undoing.undo(importing, now=timezone.now())
        except undoing.CannotUndo as refusal:
            form.add_error(None, sentence(refusal))
        else:
            messages.success(
                request, _("Undone. Recipients deleted: %(count)s.") % {"count": number(deleted)}
            )
            return redirect("recipients:import_detail", pk)
    facts = [
        (_("New recipients that it brought"), importing.new),
        (_("Recipients that it changed"), importing.changed),
    ]
    back = reverse("recipients:import_detail", args=[pk])
    return verb_page(request, UNDO, form, back=back, of=importing, facts=facts)


# --- what is done ---------------------------------------------------------------------------------


def _act(request: HttpRequest, importing: Import) -> HttpResponse:
    verb = request.POST.get("verb", "")
    if verb not in _VERBS:
        return redirect("recipients:import_detail", importing.pk)
    try:
        said = _VERBS[verb](importing)
    except jobs.Refused as refusal:
        messages.error(request, _("Nothing was done: %(reason)s.") % {"reason": refusal})
        return redirect("recipients:import_detail", importing.pk)
    messages.success(request, said)
    if verb == "discard":
        return redirect("recipients:import_list")
    return redirect("recipients:import_detail", importing.pk)


def _go(importing: Import) -> str:
    jobs.go(importing, now=timezone.now())
    hurry_after_commit(work_on, importing.pk)
    return _("It is being imported.")


def _stop(importing: Import) -> str:
    jobs.stop(importing, now=timezone.now())
    return _("Stopped. What is imported already stays; it may go on later, or be undone.")


def _discard(importing: Import) -> str:
    jobs.discard(importing)
    noting.note("discarded", kind="recipients.import", pk=importing.pk)
    return _("Discarded. Nothing of the file is left.")


_VERBS: Mapping[str, Callable[[Import], str]] = {"go": _go, "stop": _stop, "discard": _discard}


# --- where it stands ------------------------------------------------------------------------------


def _show(request: HttpRequest, importing: Import, problem: str = "") -> HttpResponse:
    context = {
        **_facts(importing),
        "problem": problem,
        "steps": _steps(_STEP_OF.get(ImportStatus(importing.status), 3)),
        "can_undo": importing.status in _UNDOABLE or _failed_in_its_midst(importing),
        "can_discard": importing.status in (*_MAPPED, ImportStatus.CHECKING)
        or (importing.status == ImportStatus.FAILED and not importing.merged),
        "can_map": importing.status in _MAPPED and not problem,
    }
    return render(request, "recipients/import_detail.html", context)


def _failed_in_its_midst(importing: Import) -> bool:
    return importing.status == ImportStatus.FAILED and bool(importing.merged)


def _facts(importing: Import) -> dict[str, Any]:
    is_under_way = importing.status in _UNDER_WAY
    return {
        "importing": importing,
        "percent": _percent(importing),
        "every": OFTEN if is_under_way else 0,
    }


def _percent(importing: Import) -> int:
    """Return how much is merged; 100 is said when it is done, and not before."""
    if importing.status == ImportStatus.DONE:
        return 100
    return min(99, 100 * importing.merged // (importing.addresses or 1))


def _steps(at: int) -> list[tuple[Any, str]]:
    """Return the steps of the way, each with done, here or to come; `at` is where one stands."""
    return [
        (title, "done" if number < at else "here" if number == at else "")
        for number, title in enumerate(_STEPS)
    ]


# --- columns and rules ----------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def import_columns(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a file as it is read, and ask what its columns are and what becomes of the people."""
    importing = get_object_or_404(imports_of(request), pk=pk)
    if importing.status not in _MAPPED:
        messages.error(request, _("Nothing was done: it is under way already."))
        return redirect("recipients:import_detail", pk)
    stored = Layout.from_dict(importing.layout)
    asked = reading(stored, request.POST) if request.method == "POST" else stored
    try:
        seen = _preview(importing, asked)
    except BadFile as error:
        return _unreadable(request, importing, error)
    lists = lists_of(request)
    if request.method != "POST":
        form = LayoutForm(initial=_as_stored(importing, stored), preview=seen, lists=lists)
    elif request.POST.get("verb") == "preview":
        chosen = {**_typed(request), **initial_columns(seen.layout.columns)}
        form = LayoutForm(initial=chosen, preview=seen, lists=lists)
    else:
        form = LayoutForm(request.POST, preview=seen, lists=lists)
        if form.is_valid():
            return _start(request, importing, form.cleaned_data)
    return _show_columns(request, importing, form, seen)


def _unreadable(request: HttpRequest, importing: Import, error: BadFile) -> HttpResponse:
    if request.method != "POST":
        return _show(request, importing, str(error))
    messages.error(request, sentence(error))
    return redirect("recipients:import_columns", importing.pk)


def _typed(request: HttpRequest) -> dict[str, Any]:
    return {**request.POST.dict(), "tags": request.POST.getlist("tags")}


def _start(request: HttpRequest, importing: Import, answers: Mapping[str, Any]) -> HttpResponse:
    importing.policy, importing.declaration = answers["policy"], answers["declaration"]
    try:
        jobs.start(
            importing,
            layout=answers["layout"],
            mailing_list=answers["mailing_list"],
            tags=answers.get("tags", ()),
            now=timezone.now(),
        )
    except jobs.Refused as refusal:
        messages.error(request, _("Nothing was done: %(reason)s.") % {"reason": refusal})
    else:
        hurry_after_commit(work_on, importing.pk)
    return redirect("recipients:import_detail", importing.pk)


def _preview(importing: Import, layout: Layout) -> Preview:
    with jobs.open_file(importing) as file:
        return preview(file, layout)


def _as_stored(importing: Import, stored: Layout) -> dict[str, Any]:
    return {
        "encoding": stored.encoding,
        "delimiter": stored.delimiter,
        "has_header": stored.has_header,
        "mailing_list": importing.mailing_list,
        "policy": importing.policy,
        "tags": importing.tags.all(),
        "declaration": importing.declaration,
        **initial_columns(stored.columns),
    }


def _show_columns(
    request: HttpRequest, importing: Import, form: LayoutForm, seen: Preview
) -> HttpResponse:
    rows = seen.rows[1:] if seen.layout.has_header else seen.rows
    context = {
        "importing": importing,
        "form": form,
        "rows": rows[:FIRST_ROWS],
        "steps": _steps(1),
    }
    status = 422 if form.errors else 200
    return render(request, "recipients/import_columns.html", context, status=status)
