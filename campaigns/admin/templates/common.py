"""What the pages of templates have in common."""

from django.http import HttpRequest
from django.urls import reverse

from templates_app.models import EmailTemplate


def may_write_raw(request: HttpRequest) -> bool:
    return request.user.has_perm("templates_app.write_raw_html")


def change_url(template: EmailTemplate) -> str:
    return reverse("admin:templates_app_emailtemplate_change", args=[template.pk])
