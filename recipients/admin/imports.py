# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import display

from recipients.admin.base import NarrowedAdmin, state_tag
from recipients.forms.imports import LayoutForm, UploadForm, initial_columns, reading
from recipients.hurry import hurry_after_commit
from recipients.importing import jobs, rejects, undoing
from recipients.importing.detect import Preview, preview
from recipients.importing.layout import BadFile, Layout
from recipients.models import Import, ImportStatus
from recipients.sentences import sentence
from recipients.tasks import work_on

_MAPPED = (ImportStatus.MAPPING, ImportStatus.CHECKED)
_UNDER_WAY = (ImportStatus.CHECKING, ImportStatus.IMPORTING)


@admin.register(Import)
class ImportAdmin(NarrowedAdmin):
    """Files of recipients, from the upload to the result: one page for each, whatever its state."""

    list_display = ("file_name", "state", "mailing_list", "new", "changed", "invalid", "created_at")
    list_filter = ("status",)
    search_fields = ("file_name",)
    ordering = ("-pk",)
    actions = None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # each is a source in the consent ledger; what was not begun can be discarded

    def get_urls(self) -> list[URLPattern]:
        rejected = self.admin_site.admin_view(self.rejected_view)
        own = path("<int:pk>/rejected.csv", rejected, name="recipients_import_rejected")
        return [own, *super().get_urls()]

    @display(description="State")
    def state(self, importing: Import) -> SafeString:
        return state_tag(importing.status, capfirst(importing.get_status_display()))

    # --- the pages ------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                importing = jobs.begin(file, name=file.name, by=_user(request))
            except BadFile as error:
                form.add_error("file", sentence(error))
            else:
                return self._to_page(importing)
        return self._page(request, "recipients/import_upload.html", {"form": form}, form=form)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        importing = self.get_object(request, object_id)
        if importing is None:
            raise Http404
        if not self.has_view_or_change_permission(request, importing):
            raise PermissionDenied
        if request.method == "POST":
            if not self.has_change_permission(request, importing):
                raise PermissionDenied
            return self._act(request, importing)
        return self._show(request, importing)

    def rejected_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Answer with the rows that were not imported, and why; they hold people's data."""
        importing = self.get_object(request, str(pk))
        if importing is None:
            raise Http404
        if not self.has_change_permission(request, importing):
            raise PermissionDenied
        name = f'attachment; filename="rejected-{importing.pk}.csv"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        lines = rejects.lines(importing)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)

    # --- what is done ---------------------------------------------------------------------------

    def _act(self, request: HttpRequest, importing: Import) -> HttpResponse:
        verb = request.POST.get("verb", "")
        if verb in {"preview", "start"}:
            return self._map(request, importing, start=verb == "start")
        verbs: dict[str, Callable[[Import], str]] = {
            "go": _go,
            "stop": _stop,
            "undo": _undo,
            "discard": _discard,
        }
        if verb not in verbs:
            return self._to_page(importing)
        try:
            message = verbs[verb](importing)
        except (jobs.Refused, undoing.CannotUndo) as refusal:
            self.message_user(request, f"Nothing was done: {refusal}.", messages.ERROR)
            return self._to_page(importing)
        self.message_user(request, message, messages.SUCCESS)
        if verb == "discard":
            return HttpResponseRedirect(reverse("admin:recipients_import_changelist"))
        self.log_change(request, importing, verb)
        return self._to_page(importing)

    def _map(self, request: HttpRequest, importing: Import, *, start: bool) -> HttpResponse:
        """Show the file as it is read by what was chosen, or have it read to its end."""
        stored = Layout.from_dict(importing.layout)
        try:
            seen = _preview(importing, reading(stored, request.POST))
        except BadFile as error:
            self.message_user(request, sentence(error), messages.ERROR)
            return self._to_page(importing)
        if not start:
            chosen = {**request.POST.dict(), **initial_columns(seen.layout.columns)}
            form = LayoutForm(initial=chosen, preview=seen)
            return self._show_mapping(request, importing, form, seen)
        form = LayoutForm(request.POST, preview=seen)
        if not form.is_valid():
            return self._show_mapping(request, importing, form, seen)
        answers = form.cleaned_data
        importing.policy, importing.declaration = answers["policy"], answers["declaration"]
        importing.save(update_fields=["policy", "declaration"])
        try:
            jobs.start(
                importing,
                layout=answers["layout"],
                mailing_list=answers["mailing_list"],
                tags=answers["tags"],
                now=timezone.now(),
            )
        except jobs.Refused as refusal:
            self.message_user(request, f"Nothing was done: {refusal}.", messages.ERROR)
        else:
            hurry_after_commit(work_on, importing.pk)
        return self._to_page(importing)

    # --- what is shown --------------------------------------------------------------------------

    def _show(self, request: HttpRequest, importing: Import) -> HttpResponse:
        if importing.status in _MAPPED and self.has_change_permission(request, importing):
            stored = Layout.from_dict(importing.layout)
            again = request.GET.get("columns") or importing.status == ImportStatus.MAPPING
            if again:
                return self._show_stored_mapping(request, importing, stored)
        return self._show_state(request, importing)

    def _show_state(
        self, request: HttpRequest, importing: Import, problem: str = ""
    ) -> HttpResponse:
        context = {
            "importing": importing,
            "problem": problem,
            "state": self.state(importing),
            "is_under_way": importing.status in _UNDER_WAY,
            "may_change": self.has_change_permission(request, importing),
            "percent": _percent(importing),
        }
        return self._page(request, "recipients/import_detail.html", context, importing)

    def _show_stored_mapping(
        self, request: HttpRequest, importing: Import, stored: Layout
    ) -> HttpResponse:
        try:
            seen = _preview(importing, stored)
        except BadFile as error:
            return self._show_state(request, importing, str(error))
        initial = {
            "encoding": stored.encoding,
            "delimiter": stored.delimiter,
            "has_header": stored.has_header,
            "mailing_list": importing.mailing_list,
            "policy": importing.policy,
            "tags": importing.tags.all(),
            "declaration": importing.declaration,
            **initial_columns(stored.columns),
        }
        return self._show_mapping(
            request, importing, LayoutForm(initial=initial, preview=seen), seen
        )

    def _show_mapping(
        self, request: HttpRequest, importing: Import, form: LayoutForm, seen: Preview
    ) -> HttpResponse:
        rows = seen.rows[1:] if seen.layout.has_header else seen.rows
        context = {"importing": importing, "form": form, "rows": rows[:5]}
        return self._page(request, "recipients/import_map.html", context, importing, form=form)

    def _page(
        self,
        request: HttpRequest,
        template: str,
        context: dict[str, Any],
        importing: Import | None = None,
        *,
        form: Any = None,
    ) -> TemplateResponse:
        site = {
            **self.admin_site.each_context(request),
            "title": str(importing) if importing else "Import recipients",
            "opts": self.opts,
            "original": importing,
        }
        status = 422 if form is not None and form.errors else 200
        return TemplateResponse(request, template, {**site, **context}, status=status)

    def _to_page(self, importing: Import) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:recipients_import_change", args=[importing.pk]))


def _user(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _preview(importing: Import, layout: Layout) -> Preview:
    with jobs.open_file(importing) as file:
        return preview(file, layout)


def _percent(importing: Import) -> int:
    """Return how much is merged; 100 is said when it is done, and not before."""
    if importing.status == ImportStatus.DONE:
        return 100
    return min(99, 100 * importing.merged // (importing.addresses or 1))


def _go(importing: Import) -> str:
    jobs.go(importing, now=timezone.now())
    hurry_after_commit(work_on, importing.pk)
    return "It is being imported."


def _stop(importing: Import) -> str:
    jobs.stop(importing, now=timezone.now())
    return "Stopped. What is imported already stays; it may go on later, or be undone."


def _undo(importing: Import) -> str:
    deleted = undoing.undo(importing, now=timezone.now())
    return f"Undone. Recipients deleted: {deleted:,}."


def _discard(importing: Import) -> str:
    jobs.discard(importing)
    return "Discarded. Nothing of the file is left."
