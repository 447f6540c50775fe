"""What an author wrote, as plain values: what is compiled, compared with earlier, and restored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from templates_app.models import EmailTemplate, Kind, TemplateVariant


@dataclass(frozen=True, slots=True)
class Written:
    """What readers of one language get, as it was written."""

    subject: str
    source: str
    text: str = ""
    preheader: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a template; the first text is for readers whose language none of them has."""

    kind: Kind
    written: tuple[Written, ...]
    layout: str = ""
    link_parameters: str = ""
    is_raw: bool = False

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
    written = [_written(template, template.language)]
    return Draft(
        kind=Kind(template.kind),
        written=(*written, *(_written(one, one.language) for one in variants)),
        layout=template.layout.name if template.layout else "",
        link_parameters=template.link_parameters,
        is_raw=template.is_raw,
    )


def _written(source: EmailTemplate | TemplateVariant, language: str) -> Written:
    return Written(
        subject=source.subject,
        source=source.source,
        text=source.text,
        preheader=source.preheader,
        language=language,
    )
