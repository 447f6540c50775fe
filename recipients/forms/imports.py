"""What staff say about a file of recipients before it is imported."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recipients.importing.detect import Preview
from recipients.importing.layout import (
    ADDRESS,
    ENCODINGS,
    LANGUAGE,
    LEAVE_OUT,
    TIME_ZONE,
    BadFile,
    Layout,
    field_name,
)
from recipients.models import Field, MailingList, MergePolicy, Tag
from recipients.sentences import sentence
from recipients.services import Refused, get_list

_DELIMITERS = (
    (",", gettext_lazy("comma")),
    (";", gettext_lazy("semicolon")),
    ("\t", gettext_lazy("tab")),
    ("|", gettext_lazy("vertical bar")),
)
_ENCODINGS = tuple((name, name.upper()) for name in ENCODINGS)
_LONGEST_NAME = 255  # characters: Import.file_name


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.gz,.xlsx"}),
        help_text=gettext_lazy(
            "CSV, also compressed (.gz), or Excel (.xlsx). Nothing is imported yet."
        ),
    )

    def clean_file(self) -> "UploadedFile[Any]":
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if len(file.name or "") > _LONGEST_NAME:
            said = _("The name of the file is too long: %(most)s characters at most.")
            raise ValidationError(said % {"most": _LONGEST_NAME})
        return file


def _column(number: int) -> str:
    return _("Column %(number)s") % {"number": number}


class LayoutForm(forms.Form):
    """How a file is read, and into which list; a select for each of its columns."""

    encoding = forms.ChoiceField(label=gettext_lazy("Encoding"), choices=_ENCODINGS)
    delimiter = forms.ChoiceField(label=gettext_lazy("Delimiter"), choices=_DELIMITERS)
    has_header = forms.BooleanField(
        label=gettext_lazy("The first row names the columns"), required=False
    )
    mailing_list = forms.ModelChoiceField(
        MailingList.objects.none(),
        label=gettext_lazy("List"),
        required=False,
        help_text=gettext_lazy("Choose one here, or name a new one below."),
    )
    new_list = forms.CharField(label=gettext_lazy("Or a new list"), max_length=200, required=False)
    policy = forms.ChoiceField(
        label=gettext_lazy("Recipients that are known"),
        choices=MergePolicy.choices,
        help_text=gettext_lazy(
            "Blank cells change nothing. Who has left a list or is suppressed stays so."
        ),
    )
    tags = forms.ModelMultipleChoiceField(
        Tag.objects.order_by("name"),
        label=gettext_lazy("Tags"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    declaration = forms.CharField(
        label=gettext_lazy("Where their consent comes from"),
        max_length=200,
        required=False,
        help_text=gettext_lazy(
            "Kept with each consent: paper forms of the fair in Hanoi, March 2026."
        ),
    )

    def __init__(
        self, *args: Any, preview: Preview, lists: "QuerySet[MailingList]", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._lists = lists
        self.fields["mailing_list"].queryset = lists  # type: ignore[attr-defined]
        self._preview = preview
        if preview.layout.is_xlsx:
            del self.fields["encoding"], self.fields["delimiter"]
        if not Tag.objects.exists():
            del self.fields["tags"]
        known = Field.objects.order_by("name").values_list("name", flat=True)
        for at, heading in enumerate(self.headings):
            self.fields[f"column_{at}"] = forms.ChoiceField(
                label=heading,
                required=False,
                choices=_targets(heading, list(known)),
            )

    @property
    def headings(self) -> list[str]:
        """What the columns are called in the file, or their numbers."""
        first = self._preview.rows[0]
        if self._preview.layout.has_header:
            return [cell or _column(at) for at, cell in enumerate(first, start=1)]
        return [_column(at) for at in range(1, len(first) + 1)]

    @property
    def columns(self) -> Iterator[forms.BoundField]:
        return (self[f"column_{at}"] for at in range(len(self.headings)))

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                answers["layout"] = self.layout(answers).check()
                answers["mailing_list"] = self._list(answers)
            except (BadFile, Refused) as error:
                self.add_error(None, sentence(error))
        return answers

    def _list(self, answers: dict[str, Any]) -> MailingList:
        new: str = answers["new_list"].strip()
        chosen: MailingList | None = answers["mailing_list"]
        if bool(new) == bool(chosen):
            raise Refused(_("choose a list, or name a new one"))
        found = chosen or get_list(new)
        if not self._lists.filter(pk=found.pk).exists():
            raise Refused(_("there is a list of this name that you may not see; take another one"))
        return found

    def layout(self, answers: dict[str, Any]) -> Layout:
        columns = [answers.get(f"column_{at}") or "" for at in range(len(self.headings))]
        return replace(reading(self._preview.layout, answers), columns=tuple(columns))


def reading(layout: Layout, answers: Any) -> Layout:
    """Return a layout with what was chosen of how to read a file; its columns are not named yet.

    What nobody can choose leaves it as it was; the form refuses that when it is saved.
    """
    encoding, delimiter = answers.get("encoding"), answers.get("delimiter")
    return replace(
        layout,
        columns=(),
        encoding=encoding if encoding in ENCODINGS else layout.encoding,
        delimiter=delimiter if delimiter in dict(_DELIMITERS) else layout.delimiter,
        has_header=bool(answers.get("has_header")),
    )


def initial_columns(columns: Sequence[str]) -> dict[str, str]:
    return {f"column_{at}": name for at, name in enumerate(columns)}


def _targets(heading: str, known: list[str]) -> list[tuple[str, Any]]:
    """Return what a column may be, for a select."""
    own = field_name(heading)
    is_new = own and own.isidentifier() and own not in (*known, ADDRESS, LANGUAGE, TIME_ZONE)
    return [
        (LEAVE_OUT, _("Leave out")),
        (ADDRESS, _("Address")),
        (LANGUAGE, _("Language")),
        (TIME_ZONE, _("Time zone")),
        *([(_("New field"), [(own, own)])] if is_new else []),
        *([(_("Fields"), [(name, name) for name in known])] if known else []),
    ]
