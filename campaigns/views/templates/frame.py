"""What the pages of templates have in common."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from recipients.models import Recipient
from recipients.models.people import RecipientQuerySet
from templates_app.models import EmailTemplate, Kind, TemplateVersion

_LONGEST = 18  # digits that a bigint has room for


def is_number(text: str) -> bool:
    """Whether a text from an address or a form can be an id, or a place in a list."""
    return text.isascii() and text.isdecimal() and len(text) <= _LONGEST


def found(pk: int) -> EmailTemplate:
    """Return a template.

    :raises Http404:
    """
    return get_object_or_404(EmailTemplate.objects.select_related("layout"), pk=pk)


def version_of(template: EmailTemplate, number: int) -> TemplateVersion:
    """Return a version of a template by its number.

    :raises Http404:
    """
    return get_object_or_404(template.versions.select_related("template"), number=number)


def url_of(template: EmailTemplate, page: str = "detail") -> str:
    return reverse(f"campaigns:template_{page}", args=[template.pk])


def may_edit(request: HttpRequest, template: EmailTemplate) -> bool:
    verb = "change" if template.pk else "add"
    return request.user.has_perm(f"templates_app.{verb}_emailtemplate")


def require_edit(request: HttpRequest, template: EmailTemplate) -> None:
    """Refuse what is typed to whom only looks.

    :raises PermissionDenied:
    """
    if not may_edit(request, template):
        raise PermissionDenied


def readers_of(request: HttpRequest) -> RecipientQuerySet | None:
    """Return as whom this user may see a template; None where they see no recipients."""
    if not request.user.has_perm("recipients.view_recipient"):
        return None
    return Recipient.objects.visible_to(request.user)


def page(
    request: HttpRequest,
    name: str,
    template: EmailTemplate,
    *,
    here: str = "",
    status: int = 200,
    **own: Any,
) -> HttpResponse:
    """Show a page of a template, with what each of them needs."""
    user = request.user
    context = {
        "template": template if template.pk else None,
        "here": here,
        "may_edit": may_edit(request, template),
        "may_test": user.has_perm("campaigns.change_campaign"),
        "may_delete": bool(template.pk) and user.has_perm("templates_app.delete_emailtemplate"),
        "has_blocks": template.kind == Kind.MJML,
        **own,
    }
    return render(request, f"campaigns/template_{name}.html", context, status=status)
