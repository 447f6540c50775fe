"""What people do with templates: save them, and freeze what a campaign will send."""

import hashlib
from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.rendering import Problem, check_content


class Refused(Exception):
    """The content has faults; the text names each with its line."""


def create_template(
    name: str, *, subject: str, html: str, text: str = "", known: Collection[str]
) -> EmailTemplate:
    """Create a template.

    :param known: the names of the custom fields that recipients have; where there is none yet, any
        name is taken, and the campaign's scheduling has the last word.
    :raises Refused: where the name is taken, there is no content, or the content has a fault.
    """
    name = name.strip()
    template = EmailTemplate(name=name, subject=subject, html=html, text=text)
    if EmailTemplate.objects.filter(name=name).exists():
        raise Refused(f"there is a template {name!r} already; choose another name")
    if not (html.strip() or text.strip()):
        raise Refused("a template needs HTML or text")
    try:
        template.clean_fields()
    except ValidationError as error:
        faults = error.message_dict.items()
        raise Refused("; ".join(f"{name}: {' '.join(said)}" for name, said in faults)) from None
    if found := problems(template, known=known or unknown_fields(template)):
        raise Refused("; ".join(str(problem) for problem in found))
    template.save()
    return template


def problems(template: EmailTemplate, *, known: Collection[str]) -> list[Problem]:
    """Return what would fail in sending: syntax, and names that no recipient has."""
    return check_content(
        subject=template.subject, html=template.html, text=template.text, known=known
    )


def unknown_fields(template: EmailTemplate, *, known: Collection[str] = ()) -> list[str]:
    """Return the names, in their order, that the content uses and nobody has."""
    found = (problem.unknown for problem in problems(template, known=known))
    return list(dict.fromkeys(name for name in found if name))


@transaction.atomic
def freeze(template: EmailTemplate) -> TemplateVersion:
    """Return the version that holds the template's present content, made if there is none."""
    template = EmailTemplate.objects.select_for_update().get(pk=template.pk)
    digest = _digest(template.subject, template.html, template.text)
    if version := template.versions.filter(digest=digest).first():
        return version
    newest = template.versions.aggregate(newest=Max("number"))["newest"] or 0
    return template.versions.create(
        number=newest + 1,
        digest=digest,
        subject=template.subject,
        html=template.html,
        text=template.text,
    )


def _digest(*parts: str) -> str:
    # The lengths keep apart what is the same only when joined.
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(framed.encode()).hexdigest()
