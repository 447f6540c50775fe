"""What an author wrote, as plain values: what is compiled, compared with earlier, and restored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any

from templates_app.models import EmailTemplate, Kind, TemplateVariant


@dataclass(frozen=True, slots=True)
class Written:
    """What readers of one language get, as it was written; its fields are columns of the models."""

    subject: str
    source: str
    text: str = ""
    preheader: str = ""
    language: str = ""

    def columns(self) -> dict[str, str]:
        """Return it as the columns of a template, or of a variant."""
        return asdict(self)

    @classmethod
    def of(cls, row: EmailTemplate | TemplateVariant) -> "Written":
        return cls(**{each.name: getattr(row, each.name) for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a template; the first text is for readers whose language none of them has."""

    kind: Kind
    written: tuple[Written, ...]
    layout: str = ""
    link_parameters: str = ""
    is_raw: bool = False

    @property
    def sources(self) -> list[str]:
        """All texts that may name snippets."""
        texts = ((each.source, each.text, each.preheader) for each in self.written)
        return [self.link_parameters, *chain.from_iterable(texts)]

    def as_json(self) -> dict[str, Any]:
        """Return it as `TemplateVersion.source` holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Draft":
        written = tuple(Written(**each) for each in stored["written"])
        return cls(**{**stored, "kind": Kind(stored["kind"]), "written": written})


def draft_of(template: EmailTemplate, variants: Sequence[TemplateVariant] | None = None) -> Draft:
    """Return the template as it is, saved or not.

    :param variants: in place of those that are saved.
    """
    if variants is None:
        variants = list(template.variants.order_by("language")) if template.pk else []
    rows: list[EmailTemplate | TemplateVariant] = [template, *variants]
    return Draft(
        kind=Kind(template.kind),
        written=tuple(map(Written.of, rows)),
        layout=template.layout.name if template.layout else "",
        link_parameters=template.link_parameters,
        is_raw=template.is_raw,
    )
