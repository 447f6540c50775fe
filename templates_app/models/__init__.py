from templates_app.models.media import MediaBlob, MediaFile, ScanState
from templates_app.models.screenshots import Screenshot, ScreenshotView
from templates_app.models.templates import (
    EmailTemplate,
    Kind,
    Layout,
    Snippet,
    TemplateDraft,
    TemplateVariant,
    TemplateVersion,
    VersionVariant,
)

__all__ = [
    "EmailTemplate",
    "Kind",
    "Layout",
    "MediaBlob",
    "MediaFile",
    "ScanState",
    "Screenshot",
    "ScreenshotView",
    "Snippet",
    "TemplateDraft",
    "TemplateVariant",
    "TemplateVersion",
    "VersionVariant",
]
