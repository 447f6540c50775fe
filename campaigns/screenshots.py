"""Have pictures taken of a version, with values that are invented: no recipient is in them."""

import re
from base64 import b64encode
from datetime import datetime

from django.conf import settings
from django.db import transaction

from campaigns import previewing
from templates_app import browser
from templates_app.branches import Ways
from templates_app.browser import NoPicture
from templates_app.media import storing
from templates_app.models import (
    MediaBlob,
    Screenshot,
    ScreenshotView,
    TemplateVersion,
    VersionVariant,
)
from templates_app.rendering import NotPlain, RenderError, compile_content

_VIEWS = {
    ScreenshotView.DESKTOP: (800, False),
    ScreenshotView.MOBILE: (375, False),
    ScreenshotView.DARK: (800, True),
}


@transaction.atomic
def ask(version: TemplateVersion, *, now: datetime) -> None:
    """Write down that pictures are wanted of each language, anew where there are some."""
    version.screenshots.all().delete()
    languages = [each.language for each in _contents(version) if each.html]
    Screenshot.objects.bulk_create(
        Screenshot(version=version, language=language, view=view, asked_at=now)
        for language in languages
        for view in _VIEWS
    )


def take(version_id: int) -> None:
    """Take the pictures of a version that are wanted; why there is none is written down, too."""
    version = TemplateVersion.objects.filter(pk=version_id).first()
    if version is None:
        return
    contents = {each.language: each for each in _contents(version)}
    for wanted in version.screenshots.filter(is_waiting=True):
        png, problem = None, ""
        try:
            png = _picture(contents[wanted.language], wanted.view)
        except storing.Damaged as error:
            problem = storing.in_words(error)[:300]
        except (NoPicture, NotPlain, OSError, RenderError) as error:
            problem = str(error)[:300]
        # Whoever asked anew meanwhile has rows of their own.
        own = Screenshot.objects.filter(pk=wanted.pk)
        own.update(png=png, problem=problem, is_waiting=False)


def _contents(version: TemplateVersion) -> list[TemplateVersion | VersionVariant]:
    return [version, *version.variants.order_by("language")]


def _picture(content: TemplateVersion | VersionVariant, view: str) -> bytes:
    program = browser.find(settings.CHROMIUM)
    width, is_dark = _VIEWS[ScreenshotView(view)]
    return browser.picture(_html(content), width=width, is_dark=is_dark, program=program)


def _html(content: TemplateVersion | VersionVariant) -> str:
    parts = {
        "subject": content.subject,
        "html": content.html,
        "text": content.text,
        "language": content.language,
    }
    ways = Ways(**parts)
    own = {tag.name for tag in previewing.own_tags()}
    fields = ways.shaped(previewing.invented(set(ways.reads) - own))
    rendered = compile_content(**parts).render(previewing.Reader("", fields).context())
    ours = re.compile(re.escape(settings.SITE_URL) + r"/m/([0-9a-f]{32})/[^\"'\s)]*")
    return ours.sub(_inlined, rendered.html)


def _inlined(address: re.Match[str]) -> str:
    """Put an image of the library into the document, because the browser loads nothing."""
    blob = MediaBlob.objects.filter(token=address[1]).first()
    if blob is None or not blob.is_image:
        return address[0]
    return f"data:{blob.content_type};base64,{b64encode(storing.read(blob)).decode()}"
