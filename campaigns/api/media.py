"""The library of images and files."""

from datetime import datetime
from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Fault, Problem, invalid
from recipients.api.things import found, held, shown
from templates_app.media import library, storing
from templates_app.media.refused import Refused
from templates_app.media_forms import sentence
from templates_app.models import MediaFile, ScanState

router = Router()

Folder = Annotated[str, Field(max_length=200)]


class FileOut(Schema):
    id: int
    name: str
    folder: str
    path: str = Field(description="What follows `media:` in a template.")
    alt: str
    size: int
    content_type: str
    width: int | None
    height: int | None
    scan: ScanState
    sha256: str
    created_at: datetime
    updated_at: datetime

    @staticmethod
    def resolve_size(file: MediaFile) -> int:
        return file.blob.size

    @staticmethod
    def resolve_content_type(file: MediaFile) -> str:
        return file.blob.content_type

    @staticmethod
    def resolve_width(file: MediaFile) -> int | None:
        return file.blob.width

    @staticmethod
    def resolve_height(file: MediaFile) -> int | None:
        return file.blob.height

    @staticmethod
    def resolve_scan(file: MediaFile) -> str:
        return file.blob.scan

    @staticmethod
    def resolve_sha256(file: MediaFile) -> str:
        return file.blob.digest


class FilePatch(Schema):
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    folder: Folder | None = None
    alt: Annotated[str, Field(max_length=300)] | None = None


class Place(Schema):
    folder: Folder = ""


class FilesAsked(Paging):
    folder: Folder | None = None


@router.get("", response=Page[FileOut])
def list_files(request: HttpRequest, asked: Query[FilesAsked]) -> dict[str, Any]:
    """Files of the library, the newest first."""
    rows = _files() if asked.folder is None else _files().filter(folder=asked.folder)
    return page_of(request, rows, asked)


@router.post("", response={201: FileOut})
def add_file(
    request: HttpRequest, file: File[UploadedFile], place: Form[Place]
) -> Status[MediaFile]:
    """Take a file into the library."""
    try:
        taken = library.upload(
            file,
            name=file.name or "",
            folder=place.folder,
            declared=file.content_type or "",
            by=request.user.get_username(),
        )
    except Refused as refusal:
        raise invalid([Fault("/file", sentence(refusal))]) from None
    return Status(201, taken)


@router.get("/{int:pk}", response=FileOut)
def get_file(request: HttpRequest, response: HttpResponse, pk: Key) -> FileOut:
    """What is known of a file."""
    return shown(response, found(_files(), pk), FileOut)


@router.get("/{int:pk}/content", response={200: bytes}, openapi_extra={"x-is-file": True})
def get_content(request: HttpRequest, pk: Key) -> FileResponse:
    """Its bytes."""
    file = found(_files(), pk)
    if file.blob.scan == ScanState.INFECTED:
        raise Problem(409, "The scanner found malware in it.")
    try:
        content = storing.opened(file.blob)
    except OSError as error:
        raise Problem(503, f"It cannot be read: {storing.in_words(error)}.") from None
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return FileResponse(
        content,
        as_attachment=True,
        filename=file.name,
        content_type=file.blob.content_type,
        headers=headers,
    )


@router.patch("/{int:pk}", response=FileOut)
def change_file(request: HttpRequest, response: HttpResponse, pk: Key, given: FilePatch) -> FileOut:
    """Describe, rename or move a file."""
    file = held(request, _files(), pk, FileOut)
    try:
        if given.alt is not None:
            library.describe(file, alt=given.alt)
        if given.name is not None or given.folder is not None:
            folder = file.folder if given.folder is None else given.folder
            library.move(file, folder=folder, name=given.name or file.name)
    except Refused as refusal:
        raise invalid([Fault("", sentence(refusal))]) from None
    return shown(response, found(_files(), pk), FileOut)


@router.delete("/{int:pk}", response={204: None})
def remove_file(request: HttpRequest, pk: Key) -> Status[None]:
    """Delete a file that nothing uses."""
    file = held(request, _files(), pk, FileOut)
    try:
        library.delete(file)
    except Refused as refusal:
        raise Problem(409, sentence(refusal)) from None
    return Status(204, None)


def _files() -> "QuerySet[MediaFile]":
    return MediaFile.objects.select_related("blob")
