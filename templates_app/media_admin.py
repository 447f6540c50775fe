# unfold has no type hints:
# mypy: allow-subclassing-any, allow-untyped-decorators
"""The pages of the media library."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import display

from templates_app.media import library, storing
from templates_app.media.refused import Refused
from templates_app.media.types import FileType, type_called, type_of_name
from templates_app.media.usage import Use, used_by
from templates_app.media_forms import (
    MoveForm,
    ReplaceForm,
    UploadForm,
    initial_place,
    sentence,
)
from templates_app.models import MediaBlob, MediaFile, ScanState

_THUMBNAIL = 48  # pixels
_EXCERPT = 2_000  # bytes of a text
_STATES = {ScanState.INFECTED: "failed", ScanState.ERROR: "held", ScanState.PENDING: "preparing"}


class FolderFilter(admin.SimpleListFilter):
    title = "folder"
    parameter_name = "folder"
    _top = "/"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name or self._top, name or "(at the top)") for name in library.folders()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        chosen = self.value()
        if chosen is None:
            return queryset
        folder = "" if chosen == self._top else chosen
        return queryset.filter(folder=folder) if folder in library.folders() else queryset.none()


@admin.register(MediaFile)
class MediaFileAdmin(ModelAdmin):
    """Files for templates and attachments, from the upload to the end: one page for each."""

    list_display = ("thumbnail", "name", "folder", "kind", "size", "scanned", "updated_at")
    list_display_links = ("name",)
    list_filter = (FolderFilter, "blob__scan")
    list_select_related = ("blob",)
    search_fields = ("name", "folder")
    ordering = ("folder", "name")
    actions = None

    def get_urls(self) -> list[URLPattern]:
        download = self.admin_site.admin_view(self.download_view)
        own = path("<int:pk>/download", download, name="templates_app_mediafile_download")
        return [own, *super().get_urls()]

    # --- the list -------------------------------------------------------------------------------

    @display(description="")
    def thumbnail(self, file: MediaFile) -> SafeString:
        return _picture(file, at_most=_THUMBNAIL)

    @display(description="Type")
    def kind(self, file: MediaFile) -> str:
        blob = file.blob
        pixels = f", {blob.width:,} by {blob.height:,}" if blob.width and blob.height else ""
        return _type(file).label + pixels

    @display(description="Size", ordering="blob__size")
    def size(self, file: MediaFile) -> str:
        return filesizeformat(file.blob.size)

    @display(description="Malware", ordering="blob__scan")
    def scanned(self, file: MediaFile) -> SafeString:
        return _scan(file.blob)

    # --- the pages ------------------------------------------------------------------------------

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"folder": request.GET.get("folder", "")}
        form = UploadForm(request.POST or None, request.FILES or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            taken = form.upload(by=_user(request))
            for file in taken:
                self.log_addition(request, file, "Uploaded.")
            if taken:
                said = ", ".join(map(str, taken))
                self.message_user(request, f"In the library: {said}.", messages.SUCCESS)
            if not form.errors:
                return self._to_list() if len(taken) > 1 else self._to_page(taken[0])
        context = {"form": form, "title": "Upload files"}
        return self._page(request, "templates_app/media_upload.html", context, form)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        file = self._file(request, object_id)
        move = MoveForm(initial=initial_place(file))
        replace = ReplaceForm()
        if request.method == "POST":
            if not self.has_change_permission(request, file):
                raise PermissionDenied
            if request.POST.get("verb") == "replace":
                replace = ReplaceForm(request.POST, request.FILES)
                if replace.is_valid() and replace.replace(file, by=_user(request)):
                    return self._done(request, file, "Replaced.")
            else:
                move = MoveForm(request.POST)
                if move.is_valid() and move.move(file):
                    return self._done(request, file, "Moved.")
        return self._show(request, file, move, replace)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        file = self._file(request, object_id)
        if not self.has_delete_permission(request, file):
            raise PermissionDenied
        problem = ""
        if request.method == "POST":
            try:
                library.delete(file)
            except Refused as refusal:
                problem = sentence(refusal)
            else:
                self.log_deletions(request, [file])
                self.message_user(request, f"Deleted: {file}.", messages.SUCCESS)
                return self._to_list()
        context = {
            "title": f"Delete {file}",
            "original": file,
            "problem": problem,
            "uses": _linked(used_by(file)),
        }
        status = 422 if problem else 200
        return self._page(request, "templates_app/media_delete.html", context, status=status)

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Answer with the bytes of now, to be saved, whatever they are."""
        file = self._file(request, str(pk))
        if file.blob.scan == ScanState.INFECTED:
            raise PermissionDenied("the scanner found malware in it")
        try:
            content = storing.opened(file.blob)
        except OSError as error:
            said = f"{file} cannot be downloaded: {storing.in_words(error)}."
            self.message_user(request, said, messages.ERROR)
            return self._to_page(file)
        headers = {
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        }
        return FileResponse(
            content,
            as_attachment=True,
            filename=file.name,
            content_type=_type(file).header,
            headers=headers,
        )

    # --- what they share ------------------------------------------------------------------------

    def _file(self, request: HttpRequest, object_id: str) -> MediaFile:
        file = self.get_object(request, object_id)
        if not isinstance(file, MediaFile):
            raise Http404
        if not self.has_view_or_change_permission(request, file):
            raise PermissionDenied
        return file

    def _show(
        self, request: HttpRequest, file: MediaFile, move: MoveForm, replace: ReplaceForm
    ) -> HttpResponse:
        blob = file.blob
        facts = [
            ("In templates", f"media:{file.path}"),
            ("Type", self.kind(file)),
            ("Size", self.size(file)),
            ("Malware", _scan(blob)),
            ("Uploaded", f"{file.updated_at:%Y-%m-%d %H:%M} UTC"),
            ("By", file.uploaded_by or "nobody who is known"),
        ]
        context = {
            "title": str(file),
            "original": file,
            "picture": _picture(file, at_most=600) if blob.is_image else "",
            "excerpt": _excerpt(file),
            "facts": facts,
            "uses": _linked(used_by(file)),
            "move": move,
            "replace": replace,
            "may_change": self.has_change_permission(request, file),
            "may_delete": self.has_delete_permission(request, file),
        }
        status = 422 if move.errors or replace.errors else 200
        return self._page(request, "templates_app/media_detail.html", context, status=status)

    def _page(
        self,
        request: HttpRequest,
        template: str,
        context: dict[str, Any],
        form: UploadForm | None = None,
        *,
        status: int = 200,
    ) -> TemplateResponse:
        site = {**self.admin_site.each_context(request), "opts": self.opts}
        if form is not None and form.errors:
            status = 422
        return TemplateResponse(request, template, {**site, **context}, status=status)

    def _done(self, request: HttpRequest, file: MediaFile, message: str) -> HttpResponse:
        self.log_change(request, file, message)
        self.message_user(request, message, messages.SUCCESS)
        return self._to_page(file)

    def _to_page(self, file: MediaFile) -> HttpResponseRedirect:
        url = reverse("admin:templates_app_mediafile_change", args=[file.pk])
        return HttpResponseRedirect(url)

    def _to_list(self) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:templates_app_mediafile_changelist"))


def _user(request: HttpRequest) -> str:
    return request.user.get_username()


def _type(file: MediaFile) -> FileType:
    return type_of_name(file.name) or type_called(file.blob.content_type)


def _scan(blob: MediaBlob) -> SafeString:
    state = _STATES.get(ScanState(blob.scan), "")
    said = f": {blob.scan_said}" if blob.scan_said else ""
    words = f"{blob.get_scan_display()}{said}"
    return format_html('<span class="state" data-state="{}">{}</span>', state, words)


def _picture(file: MediaFile, *, at_most: int) -> SafeString:
    """Return the image, scaled by the browser to this width or height; of others, the type."""
    blob = file.blob
    if not (blob.width and blob.height) or blob.scan == ScanState.INFECTED:
        return format_html("{}", _type(file).label)
    scale = min(1.0, at_most / max(blob.width, blob.height))
    return format_html(
        '<img src="{}" alt="" width="{}" height="{}" loading="lazy">',
        library.address(blob, file.name),
        max(1, round(blob.width * scale)),
        max(1, round(blob.height * scale)),
    )


def _excerpt(file: MediaFile) -> str:
    """Return the beginning of a text."""
    if not _type(file).content_type.startswith("text/"):
        return ""
    try:
        with storing.opened(file.blob) as content:
            return content.read(_EXCERPT).decode(errors="replace")
    except OSError as error:
        return f"It cannot be read: {storing.in_words(error)}."


def _linked(uses: Iterable[Use]) -> list[tuple[str, str]]:
    """Return what each use is called, and its page if it has one."""
    return [(use.label, _page_of(use.row)) for use in uses]


def _page_of(row: Model) -> str:
    if not admin.site.is_registered(type(row)):
        return ""
    kind = ContentType.objects.get_for_model(row)
    return reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[row.pk])
