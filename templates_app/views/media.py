"""The pages of the media library."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, Q
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from templates_app.media import library, storing
from templates_app.media.refused import Refused
from templates_app.media.types import FileType, type_called, type_of_name
from templates_app.media.usage import Use, named_how_often, used_by
from templates_app.media_forms import (
    DescribeForm,
    MoveForm,
    ReplaceForm,
    UploadForm,
    initial_place,
    sentence,
)
from templates_app.models import MediaBlob, MediaFile, ScanState
from templates_app.noting import note_download

SIZE = 48
_LENGTH = 200  # of what is searched
_TOP = "/"  # the folder of files without one
_THUMBNAIL = 176  # pixels
_LARGE = 600
_EXCERPT = 2_000  # bytes of a text
_STATES = {ScanState.INFECTED: "failed", ScanState.ERROR: "held", ScanState.PENDING: "preparing"}
# Pages of what uses a file, where it has one of its own; by model.
_PAGES = {
    "templates_app.emailtemplate": "campaigns:template_detail",
    "campaigns.campaign": "campaigns:campaign_detail",
}


@require_safe
def media_list(request: HttpRequest) -> HttpResponse:
    """Show the files that a filter in the address lets through, by folder and name."""
    asked = {name: request.GET.get(name, "")[:_LENGTH] for name in ("q", "folder")}
    page = Paginator(_filtered(asked), SIZE).get_page(request.GET.get("page"))
    files = list(page.object_list)
    named = named_how_often(files)
    context = {
        "page": page,
        "rows": [(file, _picture(file, at_most=_THUMBNAIL), named[file.pk]) for file in files],
        "asked": asked,
        "is_filtered": any(asked.values()),
        "folders": [(name or _TOP, name or _("(at the top)")) for name in library.folders()],
        "form": UploadForm(initial={"folder": asked["folder"].removeprefix(_TOP)}),
    }
    return render(request, "templates_app/media_list.html", context)


def _filtered(asked: dict[str, str]) -> Any:
    rows = MediaFile.objects.select_related("blob").order_by("folder", "name", "pk")
    if "\0" in "".join(asked.values()):  # which PostgreSQL takes in no text
        return rows.none()
    if text := asked["q"]:
        rows = rows.filter(
            Q(name__icontains=text) | Q(folder__icontains=text) | Q(alt__icontains=text)
        )
    if folder := asked["folder"]:
        rows = rows.filter(folder="" if folder == _TOP else folder)
    return rows


@require_http_methods(["GET", "HEAD", "POST"])
def media_upload(request: HttpRequest) -> HttpResponse:
    """Take files, each for itself: what is refused is said, the others are in the library."""
    initial = {"folder": request.GET.get("folder", "")[:_LENGTH]}
    form = UploadForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        taken = form.upload(by=request.user.get_username())
        if taken:
            said = ", ".join(map(str, taken))
            messages.success(request, _("In the library: %s.") % said)
        if not form.errors:
            return redirect("templates_app:media_list") if len(taken) > 1 else _to(taken[0])
    status = 422 if form.errors else 200
    return render(request, "templates_app/media_upload.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def media_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a file and what uses it; describe, replace or move it."""
    file = _file(pk)
    described = DescribeForm(initial={"alt": file.alt})
    move, replace = MoveForm(initial=initial_place(file)), ReplaceForm()
    if request.method == "POST":
        verb = request.POST.get("verb")
        if verb == "replace":
            replace = ReplaceForm(request.POST, request.FILES)
            if replace.is_valid() and replace.replace(file, by=request.user.get_username()):
                return _done(request, file, _("Replaced."))
        elif verb == "describe":
            described = DescribeForm(request.POST)
            if described.is_valid():
                library.describe(file, **described.cleaned_data)
                return _done(request, file, _("Saved."))
        else:
            move = MoveForm(request.POST)
            if move.is_valid() and move.move(file):
                return _done(request, file, _("Moved."))
    forms = {"described": described, "move": move, "replace": replace}
    return _show(request, file, forms)


@require_http_methods(["GET", "HEAD", "POST"])
def media_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Say what it means (GET), or do it (POST), unless something uses the file."""
    file, problem = _file(pk), ""
    uses = used_by(file)
    if request.method == "POST":
        try:
            library.delete(file)
        except Refused as refusal:
            problem = sentence(refusal)
            if not all(_sees(request, use.row) for use in uses):
                problem = _("It is used; take it out there first.")
        else:
            messages.success(request, _("Deleted: %s.") % file)
            return redirect("templates_app:media_list")
    context = {"file": file, "problem": problem, "uses": _linked(request, uses)}
    status = 422 if problem else 200
    return render(request, "templates_app/media_delete.html", context, status=status)


@require_safe
def media_download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Answer with the bytes of now, to be saved, whatever they are."""
    file = _file(pk)
    if file.blob.scan == ScanState.INFECTED:
        raise PermissionDenied("the scanner found malware in it")
    try:
        content = storing.opened(file.blob)
    except OSError as error:
        said = {"file": file, "why": storing.in_words(error)}
        messages.error(request, _("%(file)s cannot be downloaded: %(why)s.") % said)
        return _to(file)
    note_download(file)
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(
        content,
        as_attachment=True,
        filename=file.name,
        content_type=_type(file).header,
        headers=headers,
    )


def _file(pk: int) -> MediaFile:
    return get_object_or_404(MediaFile.objects.select_related("blob"), pk=pk)


def _show(request: HttpRequest, file: MediaFile, forms: dict[str, Any]) -> HttpResponse:
    context = {
        "file": file,
        "type": _type(file).label,
        "scan_state": _STATES.get(ScanState(file.blob.scan), ""),
        "picture": _picture(file, at_most=_LARGE) if file.blob.is_image else "",
        "excerpt": _excerpt(file),
        "uses": _linked(request, used_by(file)),
        "may_change": request.user.has_perm("templates_app.change_mediafile"),
        "may_delete": request.user.has_perm("templates_app.delete_mediafile"),
        **forms,
    }
    status = 422 if any(form.errors for form in forms.values()) else 200
    return render(request, "templates_app/media_detail.html", context, status=status)


def _done(request: HttpRequest, file: MediaFile, said: str) -> HttpResponse:
    messages.success(request, said)
    return _to(file)


def _to(file: MediaFile) -> HttpResponse:
    return redirect("templates_app:media_detail", file.pk)


def _type(file: MediaFile) -> FileType:
    return type_of_name(file.name) or type_called(file.blob.content_type)


def _picture(file: MediaFile, *, at_most: int) -> SafeString:
    """Return the image, scaled by the browser to this width or height; of others, the type."""
    blob: MediaBlob = file.blob
    if not (blob.width and blob.height) or blob.scan == ScanState.INFECTED:
        return format_html("{}", _type(file).label)
    scale = min(1.0, at_most / max(blob.width, blob.height))
    return format_html(
        '<img src="{}" alt="{}" width="{}" height="{}" loading="lazy">',
        library.address(blob, file.name),
        file.alt,
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
        return _("It cannot be read: %s.") % storing.in_words(error)


def _linked(request: HttpRequest, uses: Iterable[Use]) -> list[tuple[str, str]]:
    """Return what each use is called, and its page if it has one, as far as this user sees it."""
    return [
        (use.label, _page_of(use.row))
        if _sees(request, use.row)
        else (_("something that you may not see"), "")
        for use in uses
    ]


def _sees(request: HttpRequest, row: Model) -> bool:
    rows: Any = type(row)._default_manager.all()  # noqa: SLF001
    return not hasattr(rows, "visible_to") or bool(rows.visible_to(request.user).filter(pk=row.pk))


def _page_of(row: Model) -> str:
    kind = ContentType.objects.get_for_model(row)
    if page := _PAGES.get(f"{kind.app_label}.{kind.model}"):
        return reverse(page, args=[row.pk])
    if not admin.site.is_registered(type(row)):
        return ""
    return reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[row.pk])
