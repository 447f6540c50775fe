from collections.abc import Iterable
from typing import Any

from django import forms
from django.apps import apps

from templates_app.compiling import Problem
from templates_app.models import EmailTemplate, Layout, Snippet, TemplateVariant
from templates_app.pieces import check_layout, check_snippet
from templates_app.services import Refused, check


def known_fields() -> set[str]:
    """Return the names of the fields that recipients have."""
    # By name: this app and recipients know nothing of each other.
    field: Any = apps.get_model("recipients", "Field")
    return set(field.objects.values_list("name", flat=True))


class EmailTemplateForm(forms.ModelForm[EmailTemplate]):
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
        )

    def clean(self) -> dict[str, Any]:
        """Refuse what `services.save_template` refuses, beside the part at fault."""
        content: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            template = EmailTemplate(pk=self.instance.pk, **content)
            found = check(template, variants=[], known=known_fields()).problems
            _add_problems(self, found)
        return content


class TemplateVariantFormSet(forms.BaseInlineFormSet[TemplateVariant, EmailTemplate, Any]):
    def clean(self) -> None:
        """Refuse faults of the other languages, beside the part at fault."""
        super().clean()
        variants = self.variants()
        if any(self.errors) or not variants:
            return
        found = check(self.instance, variants=variants, known=known_fields()).problems
        for form in self.forms:
            language = form.cleaned_data.get("language")
            _add_problems(form, [each for each in found if language and each.language == language])
        if found and not any(self.errors):
            raise forms.ValidationError([str(each) for each in found])

    def variants(self) -> list[TemplateVariant]:
        """Return what is typed in, but for those that are to be deleted."""
        forms_of = [form for form in self.forms if hasattr(form, "cleaned_data")]
        return [
            form.instance
            for form in forms_of
            if form.cleaned_data.get("language") and not form.cleaned_data.get("DELETE")
        ]


class SnippetForm(forms.ModelForm[Snippet]):
    class Meta:
        model = Snippet
        fields = ("name", "kind", "source")

    def clean(self) -> dict[str, Any]:
        content: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            snippet = Snippet(pk=self.instance.pk, **content)
            try:
                check_snippet(snippet, known=known_fields())
            except Refused as refusal:
                self.add_error("source", str(refusal))
        return content


class LayoutForm(forms.ModelForm[Layout]):
    class Meta:
        model = Layout
        fields = ("name", "kind", "source")

    def clean(self) -> dict[str, Any]:
        content: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            layout = Layout(pk=self.instance.pk, **content)
            try:
                check_layout(layout, known=known_fields())
            except Refused as refusal:
                self.add_error("source", str(refusal))
        return content


def _add_problems(form: forms.BaseForm, problems: Iterable[Problem]) -> None:
    for problem in problems:
        form.add_error(problem.part if problem.part in form.fields else None, _words(problem))


def _words(problem: Problem) -> str:
    where = [problem.piece] if problem.piece else []
    where += [f"line {problem.line}"] if problem.line else []
    place = ", ".join(where)
    return f"{place[0].upper()}{place[1:]}: {problem.message}" if place else problem.message
