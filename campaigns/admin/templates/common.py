"""What the pages of templates have in common."""

from django.urls import reverse

from templates_app.models import EmailTemplate


def change_url(template: EmailTemplate) -> str:
    return reverse("admin:templates_app_emailtemplate_change", args=[template.pk])
