"""What authors type into templates; whether it can be sent, `services.check` says."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.apps import apps
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from templates_app.compiling import Problem
from templates_app.models import EmailTemplate, Kind, Layout, Snippet, TemplateVariant
from templates_app.pieces import check
from templates_app.services import Refused


def may_write_raw(request: HttpRequest) -> bool:
    """Whether this user may write HTML that is not sanitised."""
    return request.user.has_perm("templates_app.write_raw_html")


def known_fields() -> set[str]:
    """Return the names of the fields that recipients have."""
    # By name: this app and recipients know nothing of each other.
    field: Any = apps.get_model("recipients", "Field")
    return set(field.objects.values_list("name", flat=True))


class WrittenField(forms.CharField):
    """Keeps blanks, so that lines are counted as the author sees them, and ends lines by LF."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "strip": False})

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")


_WRITTEN = {"source": WrittenField, "text": WrittenField}
_LINE = forms.TextInput
_WIDGETS = {
    "language": _LINE({"placeholder": "en", "spellcheck": "false", "size": 12, "class": "short"}),
    "subject": _LINE,
    "preheader": _LINE,
    "source": forms.Textarea({"rows": 24, "spellcheck": "false", "class": "source"}),
    "text": forms.Textarea({"rows": 6}),
}
_LABELS = {
    "language": _("Language"),
    "subject": _("Subject"),
    "preheader": _("Preheader"),
    "source": _("Source"),
    "text": _("Text part"),
}
_HELP = {
    "preheader": _("What an inbox shows behind the subject; hidden in the message itself."),
    "text": _("Left empty, the text part is made from the HTML."),
}


class SanitiseField(forms.BooleanField):
    """Asks who may not write raw HTML, before a save leaves out what others wrote."""

    default_error_messages = {
        "required": _(
            "Its HTML is kept exactly as written, which takes the permission to write HTML that is"
            " not sanitised. Check this, or ask somebody who has it to save your change."
        )
    }

    def __init__(self) -> None:
        super().__init__(
            label=_("Leave out what mail may not have"),
            help_text=_("Scripts, forms and their like stay in the source, but are sent no more."),
        )


_CONTENT = {"name", "subject", "preheader", "source", "text", "sanitise"}

_NOT_RAW_ANY_MORE = _(
    "Since you opened this page, somebody has chosen to leave out what mail may not have. Look at"
    " what has changed, also in its snippets and its layout, and save again to keep HTML as"
    " written."
)


class EmailTemplateForm(forms.ModelForm[EmailTemplate]):
    sanitise = SanitiseField()

    class Meta:
        model = EmailTemplate
        fields = (
            "name",
            "kind",
            "layout",
            "language",
            "subject",
            "preheader",
            "source",
            "text",
            "link_parameters",
            "is_raw",
        )
        labels = {
            **_LABELS,
            "name": _("Name"),
            "kind": _("Written in"),
            "layout": _("Layout"),
            "link_parameters": _("Link parameters"),
            "is_raw": _("Keep my HTML exactly as written"),
        }
        help_texts = {
            **_HELP,
            "layout": _("For Markdown; without one, a plain letter."),
            "language": _(
                "Of this text, such as de or pt-BR. Readers of a language without a variant of its"
                " own get this one."
            ),
            "link_parameters": _(
                "Added to each link to a web page, such as"
                " utm_source=newsletter&amp;utm_medium=email"
            ),
            "is_raw": _(
                "Scripts, forms and all else that mail may not have are sent as well, those in its"
                " snippets and its layout too. Check it only where you trust whoever wrote them."
            ),
        }
        field_classes = _WRITTEN
        widgets = {
            **_WIDGETS,
            "link_parameters": _LINE({"spellcheck": "false"}),
        }

    def __init__(self, *args: Any, may_write_raw: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_raw = self.instance.is_raw
        if not may_write_raw:
            del self.fields["is_raw"]
        # Who may not keep it so is asked only once they want to save it.
        if may_write_raw or not self._is_raw or not self.is_bound:
            del self.fields["sanitise"]

    @property
    def content(self) -> list[forms.BoundField]:
        return [field for field in self if field.name in _CONTENT]

    @property
    def settings(self) -> list[forms.BoundField]:
        return [field for field in self if field.name not in _CONTENT]

    def clean(self) -> dict[str, Any]:
        """Say in words what the constraint would say by its name."""
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if answers.get("layout") and answers.get("kind") != Kind.MARKDOWN:
            self.add_error("layout", _("A layout is for Markdown; choose none."))
        # Who has had it sanitised may have changed its snippets since, as nobody else could before.
        if answers.get("is_raw") and "was_raw" in self.data and not self._is_raw:
            self.add_error("is_raw", _NOT_RAW_ANY_MORE)
        if answers.get("sanitise"):
            self.instance.is_raw = False
        return answers


class VariantForm(forms.ModelForm[TemplateVariant]):
    class Meta:
        model = TemplateVariant
        fields = ("language", "subject", "preheader", "source", "text")
        field_classes = _WRITTEN
        labels = _LABELS
        help_texts = _HELP
        widgets = {**_WIDGETS, "language": _LINE({"placeholder": "de", "class": "short"})}


class _VariantForms(BaseInlineFormSet[TemplateVariant, EmailTemplate, VariantForm]):
    def add_fields(self, form: Any, index: int | None) -> None:
        """Take a row that has gone since the page was opened for a new one of its language."""
        super().add_fields(form, index)
        known = form.instance.pk
        form.fields["id"] = forms.IntegerField(
            required=False, initial=known, widget=forms.HiddenInput
        )

    def clean(self) -> None:
        """Leave two of one language to `services.check`, which says it in words."""


VariantForms = forms.inlineformset_factory(
    EmailTemplate,
    TemplateVariant,
    form=VariantForm,
    formset=_VariantForms,
    extra=1,
    can_delete=True,
)


class Editing:
    """The form of a template with those of its other languages."""

    def __init__(
        self, template: EmailTemplate, data: Any = None, *, may_write_raw: bool = False
    ) -> None:
        self.form = EmailTemplateForm(data, instance=template, may_write_raw=may_write_raw)
        self.variant_forms = VariantForms(data, instance=template, prefix="variants")

    def is_valid(self) -> bool:
        return all([self.form.is_valid(), self.variant_forms.is_valid()])

    @property
    def template(self) -> EmailTemplate:
        """What was typed, as far as it is valid; not saved."""
        return self.form.instance

    def variants(self) -> list[TemplateVariant]:
        """Return the other languages that are to stay, after `is_valid`."""
        return [each.instance for each in self._kept()]

    def show(self, problems: Iterable[Problem]) -> None:
        """Say each problem beside the field that has it."""
        for problem in problems:
            form = self._form_of(problem.language)
            part = problem.part if problem.part in form.fields else None
            form.add_error(part, in_words(problem))

    def _form_of(self, language: str) -> EmailTemplateForm | VariantForm:
        if language != self.template.language:
            for each in self._kept():
                if each.instance.language == language:
                    return each
        return self.form

    def _kept(self) -> list[VariantForm]:
        return [
            each
            for each in self.variant_forms.forms
            if (each.has_changed() or each.instance.pk)
            and not getattr(each, "cleaned_data", {}).get("DELETE")
        ]


def in_words(problem: Problem) -> str:
    """Say a problem beside the field where it is."""
    line = _now("line %s") % problem.line if problem.line else ""
    where = ", ".join(filter(None, [problem.piece, line]))
    return f"{where[:1].upper()}{where[1:]}: {problem.message}" if where else problem.message


class PieceForm(forms.ModelForm[Any]):
    may_write_raw = False  # whether whoever has the form before them may write it

    def clean(self) -> dict[str, Any]:
        content: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            piece = self._meta.model(pk=self.instance.pk, **content)
            try:
                check(piece, known=known_fields(), may_write_raw=self.may_write_raw)
            except Refused as refusal:
                self.add_error("source", str(refusal))
        return content


class SnippetForm(PieceForm):
    class Meta:
        model = Snippet
        fields = ("name", "kind", "source")


class LayoutForm(PieceForm):
    class Meta:
        model = Layout
        fields = ("name", "kind", "source")
