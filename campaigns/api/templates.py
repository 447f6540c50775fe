"""Templates: what campaigns say; each save is compiled, tried, and kept as a version."""

from datetime import datetime
from typing import Annotated, Any, NoReturn

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from recipients.api.paging import Key, Page, Paging, page_of
from recipients.api.refusals import Fault, Problem, invalid, refuse_form
from recipients.api.things import found, held, shown
from recipients.sentences import sentence
from templates_app.forms import EmailTemplateForm, in_words, known_fields, may_write_raw
from templates_app.locks import using_pieces
from templates_app.models import EmailTemplate, Kind, TemplateVariant, TemplateVersion
from templates_app.services import Refused, delete_template, save_template

router = Router()

Subject = Annotated[str, Field(min_length=1, max_length=500)]
Preheader = Annotated[str, Field(max_length=300)]
Source = Annotated[str, Field(min_length=1)]
Language = Annotated[str, Field(max_length=35, description="BCP 47.")]
_RAW = Annotated[
    bool, Field(description="HTML exactly as written; for who may write such HTML alone.")
]


class Written(Schema):
    """What it says to the readers of one more language."""

    language: Annotated[str, Field(min_length=1, max_length=35)]
    subject: Subject
    preheader: Preheader = ""
    source: Source
    text: str = ""


class TemplateRow(Schema):
    id: int
    name: str
    kind: Kind
    language: str
    subject: str
    created_at: datetime
    updated_at: datetime


class TemplateOut(TemplateRow):
    preheader: str
    source: str
    text: str
    layout: int | None
    link_parameters: str
    is_raw: bool
    variants: list[Written]
    version: int = Field(description="The number of the newest one.")

    @staticmethod
    def resolve_layout(template: EmailTemplate) -> int | None:
        return template.layout_id

    @staticmethod
    def resolve_variants(template: EmailTemplate) -> list[TemplateVariant]:
        return list(template.variants.order_by("language"))

    @staticmethod
    def resolve_version(template: EmailTemplate) -> int:
        newest = template.versions.order_by("-number").values_list("number", flat=True)
        return newest[0]


class TemplateIn(Schema):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind = Kind.MJML
    subject: Subject
    preheader: Preheader = ""
    source: Source
    text: Annotated[str, Field(description="Empty: it is made from the HTML.")] = ""
    language: Language = ""
    layout: Annotated[Key | None, Field(description="For Markdown.")] = None
    link_parameters: Annotated[str, Field(max_length=500)] = ""
    is_raw: _RAW = False
    variants: Annotated[list[Written], Field(max_length=50)] = []


class TemplatePatch(Schema):
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    kind: Kind | None = None
    subject: Subject | None = None
    preheader: Preheader | None = None
    source: Source | None = None
    text: str | None = None
    language: Language | None = None
    layout: Key | None = None
    link_parameters: Annotated[str, Field(max_length=500)] | None = None
    is_raw: _RAW | None = None
    variants: (
        Annotated[list[Written], Field(max_length=50, description="All; others are deleted.")]
        | None
    ) = None


class VersionOut(Schema):
    number: int
    subject: str
    html: str
    text: str
    saved_by: str
    created_at: datetime


@router.get("", response=Page[TemplateRow])
def list_templates(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    """All templates without their sources, the newest first."""
    return page_of(request, EmailTemplate.objects.defer("source", "text"), paging)


@router.post("", response={201: TemplateOut})
def add_template(request: HttpRequest, given: TemplateIn) -> Status[EmailTemplate]:
    """Write a template; what cannot be sent is refused, with the line."""
    template = EmailTemplate()
    _save(request, template, given.dict(exclude={"variants"}), given.variants)
    return Status(201, template)


@router.get("/{int:pk}", response=TemplateOut)
def get_template(request: HttpRequest, response: HttpResponse, pk: Key) -> TemplateOut:
    """One template, as its author has written it."""
    return shown(response, found(_templates(), pk), TemplateOut)


@router.patch("/{int:pk}", response=TemplateOut)
def change_template(
    request: HttpRequest, response: HttpResponse, pk: Key, given: TemplatePatch
) -> TemplateOut:
    """Change what is given; what is scheduled keeps what was frozen."""
    using_pieces()  # before the row, as saving does it
    template = held(request, _templates(), pk, TemplateOut)
    was = {name: getattr(template, name) for name in EmailTemplateForm.Meta.fields}
    now = given.dict(exclude_unset=True, exclude={"variants"})
    changed = {name: value for name, value in now.items() if value is not None or name == "layout"}
    was["layout"] = template.layout_id
    _save(request, template, was | changed, given.variants)
    return shown(response, template, TemplateOut)


@router.delete("/{int:pk}", response={204: None})
def remove_template(request: HttpRequest, pk: Key) -> Status[None]:
    """Delete a template that no campaign uses."""
    template = held(request, _templates(), pk, TemplateOut)
    try:
        delete_template(template)
    except Refused as refusal:
        raise Problem(409, sentence(refusal)) from None
    return Status(204, None)


@router.get("/{int:pk}/versions", response=Page[VersionOut])
def list_versions(request: HttpRequest, pk: Key, paging: Query[Paging]) -> dict[str, Any]:
    """What a template has said: compiled, as it is sent, the newest first."""
    versions = TemplateVersion.objects.filter(template=found(_templates(), pk))
    return page_of(request, versions, paging, key="number")


def _templates() -> "QuerySet[EmailTemplate]":
    return EmailTemplate.objects.all()


def _save(
    request: HttpRequest,
    template: EmailTemplate,
    data: dict[str, Any],
    variants: list[Written] | None,
) -> None:
    may_raw = may_write_raw(request)
    if data["is_raw"] and not may_raw:
        said = "HTML as written takes the permission to write HTML that is not sanitised."
        raise invalid([Fault("/is_raw", said)])
    form = EmailTemplateForm({**data, "sanitise": True}, instance=template, may_write_raw=may_raw)
    if not form.is_valid():
        refuse_form(form)
    others = None
    if variants is not None:
        others = [TemplateVariant(template=template, **each.dict()) for each in variants]
    try:
        save_template(
            template,
            variants=others,
            known=known_fields(),
            by=request.user.get_username(),
            may_write_raw=may_raw,
        )
    except Refused as refusal:
        _refuse(refusal)


def _refuse(refusal: Refused) -> NoReturn:
    if not refusal.problems:
        raise invalid([Fault("", sentence(refusal))]) from None
    raise invalid(
        Fault(f"/{problem.part}", in_words(problem)) for problem in refusal.problems
    ) from None
