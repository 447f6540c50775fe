"""What staff type about files of the library."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext_lazy as _

from templates_app.media import library
from templates_app.media.refused import Refused
from templates_app.media.types import TYPES
from templates_app.models import MediaFile

_ACCEPTED = ",".join(f".{extension}" for extension in (*TYPES, "jpeg"))
FOLDER = _("Such as Logos or 2026/Spring. A folder is there as long as a file is in it.")


class _ManyFilesWidget(forms.ClearableFileInput):
    allow_multiple_selected = True


class _ManyFilesField(forms.FileField):
    """Several files in one field, each checked as one."""

    widget = _ManyFilesWidget

    def clean(self, data: Any, initial: Any = None) -> Any:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(_ManyFilesField, self).clean(file, initial) for file in files or [None]]


def _folder() -> forms.CharField:
    return forms.CharField(label=_("Folder"), max_length=200, required=False, help_text=FOLDER)


class UploadForm(forms.Form):
    uploads = _ManyFilesField(
        label=_("Files"),
        widget=_ManyFilesWidget(attrs={"accept": _ACCEPTED}),
        help_text=format_lazy(
            "{types}. {note}",
            types=", ".join(TYPES),
            note=_("Images lose what cameras noted in them, such as the place."),
        ),
    )
    folder = _folder()

    def upload(self, *, by: str) -> list[MediaFile]:
        """Take the files, each for itself; what was refused stands beside the field."""
        taken = []
        for file in self.cleaned_data["uploads"]:
            try:
                taken.append(_upload(file, folder=self.cleaned_data["folder"], by=by))
            except Refused as refusal:
                self.add_error("uploads", sentence(refusal))
        return taken


class ReplaceForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("Of the same type. What is scheduled or was sent keeps the bytes of before."),
    )

    def replace(self, media_file: MediaFile, *, by: str) -> bool:
        """Do it; return whether it was taken."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        try:
            library.replace(media_file, file, declared=file.content_type or "", by=by)
        except Refused as refusal:
            self.add_error("file", sentence(refusal))
        return not self.errors


class DescribeForm(forms.Form):
    alt = forms.CharField(
        label=_("What it shows"),
        max_length=300,
        required=False,
        help_text=_("For who does not see the image. Templates have it in alt=“…”."),
    )


class MoveForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
    folder = _folder()

    def move(self, media_file: MediaFile) -> bool:
        """Do it; return whether it was taken."""
        try:
            library.move(media_file, **self.cleaned_data)
        except Refused as refusal:
            self.add_error(None, sentence(refusal))
        return not self.errors


def initial_place(media_file: MediaFile) -> dict[str, str]:
    return {"name": media_file.name, "folder": media_file.folder}


def sentence(refusal: Refused) -> str:
    """Return a refusal as a sentence; one that begins with the name of a file keeps it as it is."""
    text = str(refusal)
    first = text.split(" ", 1)[0]
    return f"{text if '.' in first or '/' in first else capfirst(text)}."


def _upload(file: UploadedFile[bytes], *, folder: str, by: str) -> MediaFile:
    declared = file.content_type or ""
    return library.upload(file, name=file.name or "", folder=folder, declared=declared, by=by)
