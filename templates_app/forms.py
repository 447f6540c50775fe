from typing import Any

from django import forms
from django.apps import apps

from templates_app.compiling import Problem
from templates_app.models import EmailTemplate
from templates_app.services import problems, unknown_fields


class EmailTemplateForm(forms.ModelForm[EmailTemplate]):
    class Meta:
        model = EmailTemplate
        fields = ("name", "kind", "subject", "source", "text")

    def clean(self) -> dict[str, Any]:
        """Refuse what `services.create_template` refuses, beside the part at fault."""
        content: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return content
        for problem in _problems(content):
            part = problem.part if problem.part in self.fields else None
            self.add_error(part, _words(problem))
        return content


def _problems(content: dict[str, Any]) -> list[Problem]:
    template = EmailTemplate(
        **{part: content[part] for part in ("kind", "subject", "source", "text")}
    )
    # By name: this app and recipients know nothing of each other.
    field: Any = apps.get_model("recipients", "Field")
    names = field.objects.values_list("name", flat=True)
    # Nobody is imported yet: any name may be one, and scheduling has the last word.
    return problems(template, known=set(names) or unknown_fields(template))


def _words(problem: Problem) -> str:
    return f"Line {problem.line}: {problem.message}" if problem.line else problem.message
