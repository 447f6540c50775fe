"""What readers will see: of what is typed, what is saved, and of each version."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any
from zlib import crc32

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods, require_safe

from campaigns import previewing
from campaigns.finding import NEWEST, Finder
from campaigns.previewing import Reader
from campaigns.views.templates.frame import (
    found,
    is_number,
    page,
    readers_of,
    require_edit,
    version_of,
)
from recipients.models import Recipient
from recipients.models.people import RecipientQuerySet
from templates_app import held
from templates_app.branches import Sample, Ways
from templates_app.compiling import Compilation, CompiledContent, compile_draft
from templates_app.drafts import Draft, draft_of
from templates_app.forms import Editing, known_fields, may_write_raw
from templates_app.frames import framed, inbox_line
from templates_app.languages import chosen
from templates_app.models import EmailTemplate, TemplateVersion
from templates_app.rendering import Compiled, NotPlain, Rendered, compile_content
from templates_app.services import library, rehearsed

VIEWS = {
    "desktop": gettext_lazy("Desktop"),
    "mobile": gettext_lazy("Mobile"),
    "desktop-dark": gettext_lazy("Desktop, dark"),
    "mobile-dark": gettext_lazy("Mobile, dark"),
    "text": gettext_lazy("Text part"),
    "source": gettext_lazy("HTML as sent"),
}
_VALUE = "value-"
_MOST_SAMPLES = 200
_LONGEST_WAIT = timedelta(minutes=15)  # for pictures, of ten languages at half a minute each


class Preview:
    """Content as somebody gets it, by what was chosen on the page (`data`).

    :param contents: of each language, that of the fallback first.
    :param readers: the recipients as whom it may be shown; None where it is as no recipient.
    :raises RenderError: the content is no template.
    """

    def __init__(
        self,
        contents: Sequence[CompiledContent],
        data: QueryDict,
        *,
        readers: RecipientQuerySet | None,
    ) -> None:
        self.contents, self._data = contents, data
        self.may_see = readers is not None
        self._readers = Recipient.objects.none() if readers is None else readers
        asked = data.get("show", "")
        self.show = asked if asked in VIEWS else "desktop"
        asked = data.get("language", "")
        is_one = is_number(asked) and int(asked) < len(contents)
        self.language = asked if is_one else ""
        self._ways = {number: _ways(content) for number, content in enumerate(contents)}

    @cached_property
    def who(self) -> str:
        """`r-12` (a recipient), `b-3` (a branch's sample), `typed`, or else somebody invented."""
        asked = self._data.get("who", "")
        if self._was_typed():
            return "typed"
        kind, _dash, number = asked.partition("-")
        if kind == "r" and self._recipient(number):
            return asked
        if kind == "b" and is_number(number) and int(number) < len(self.samples):
            return asked
        return "typed" if asked == "typed" else ""

    @cached_property
    def reader(self) -> Reader:
        kind, _dash, number = self.who.partition("-")
        if kind == "r" and (recipient := self._recipient(number)):
            return previewing.reader(recipient)
        if kind == "b":
            sample = self.samples[int(number)]
            return sample.who or Reader(_("Somebody invented"), sample.values or {})
        if kind == "typed":
            return Reader(_("Somebody invented"), previewing.typed(self._typed()))
        return Reader(_("Somebody invented"), self._invented)

    @cached_property
    def number(self) -> int:
        """Which content is shown: the chosen one, else that of the reader's language."""
        if self.language:
            return int(self.language)
        kind, _dash, number = self.who.partition("-")
        recipient = self._recipient(number) if kind == "r" else None
        return self._number_for(recipient) if recipient else 0

    def _number_for(self, recipient: Recipient) -> int:
        """Return which content is sent to a recipient."""
        return chosen(recipient.language, self._languages)

    @property
    def content(self) -> CompiledContent:
        return self.contents[self.number]

    @cached_property
    def rendered(self) -> Rendered | None:
        try:
            return _compiled(self.content).render(self.reader.context())
        except (NotPlain, ValueError) as error:  # also half a character, typed as JSON
            self.problem = _("%(reader)s would get no message: %(error)s") % {
                "reader": self.reader.label,
                "error": error,
            }
            return None

    problem = ""

    @property
    def frame(self) -> str:
        """Return the document of the frame, where one is shown."""
        if self.rendered is None or self.show in {"text", "source"}:
            return ""
        return framed(self.rendered.html, is_dark=self.show.endswith("-dark"))

    @property
    def inbox(self) -> str:
        return inbox_line(self.rendered.html) if self.rendered else ""

    @property
    def values(self) -> list[tuple[str, str]]:
        """List the fields that the content reads, with the reader's values."""
        own = {tag.name for tag in previewing.own_tags()}
        fields = self.reader.fields
        return [
            (name, previewing.shown(fields[name]) if name in fields else "")
            for name in self._ways[self.number].reads
            if name not in own
        ]

    @cached_property
    def samples(self) -> list[Sample[Reader]]:
        """Find a reader of each branch of the content that is shown."""
        base = Reader("", self._invented).context()
        if not self.may_see:
            return self._sampled.samples((), base)
        key, _colon, numbers = self._data.get("samples", "").partition(":")
        if key in {self._key(is_cut=False), self._key(is_cut=True)}:  # they were looked for
            self.is_cut = key == self._key(is_cut=True)
            return self._sampled.samples(self._again(numbers), base)
        number, now = self._sample_number, timezone.now()
        finder = Finder(self._languages, number, among=self._readers, now=now)
        found = self._sampled.samples(finder.newest(), base, finder.those_of)
        self.is_cut = finder.is_cut
        return found

    is_cut = False  # whether readers were looked for no further, because it took too long

    @property
    def is_for_nobody(self) -> bool:
        """Whether none of the recipients who were asked gets any branch: for them it fails."""
        known = any(sample.who for sample in self.samples)
        return self.may_see and not known and self._readers.exists()

    @property
    def samples_in_one(self) -> str:
        """Return what a browser sends back, so that nobody is looked for with each button."""
        numbers = (str(each.who.recipient_id) for each in self.samples if each.who)
        return f"{self._key(is_cut=self.is_cut)}:{','.join(dict.fromkeys(numbers))}"

    def _key(self, *, is_cut: bool) -> str:
        """Return of what the samples are."""
        titles = "\n".join(branch.title for branch in self._sampled.branches)
        digest = crc32(titles.encode(errors="surrogatepass"))
        return f"{self._sample_number}-{digest}{'-cut' if is_cut else ''}"

    def _again(self, numbers: str) -> Iterator[tuple[Reader, dict[str, Any]]]:
        known = [number for number in numbers.split(",") if is_number(number)]
        for recipient in self._readers.filter(pk__in=known[:_MOST_SAMPLES]).order_by("-pk"):
            if self._number_for(recipient) == self._sample_number:
                reader = previewing.reader(recipient)
                yield reader, reader.context()

    @property
    def _sample_number(self) -> int:
        return int(self.language) if self.language else 0

    @property
    def _sampled(self) -> Ways:
        return self._ways[self._sample_number]

    @property
    def _languages(self) -> list[str]:
        return [content.language for content in self.contents]

    @cached_property
    def found(self) -> list[Recipient]:
        text = self._data.get("search", "").strip()
        return previewing.search(text, among=self._readers) if text else []

    @property
    def search(self) -> str:
        return self._data.get("search", "")

    @cached_property
    def _invented(self) -> dict[str, Any]:
        ways = self._sampled
        own = {tag.name for tag in previewing.own_tags()}
        return ways.shaped(previewing.invented(set(ways.reads) - own))

    def _recipient(self, number: str) -> Recipient | None:
        if number not in self._known:
            found = self._readers.filter(pk=number).first() if is_number(number) else None
            self._known[number] = found
        return self._known[number]

    @cached_property
    def _known(self) -> dict[str, Recipient | None]:
        return {}

    def _was_typed(self) -> bool:
        """Whether values were changed, and no button says whose are to be shown (the last one)."""
        is_asked = len(self._data.getlist("who")) > 1
        return (
            "were" in self._data and not is_asked and self._data["were"] != _in_one(self._typed())
        )

    @property
    def values_in_one(self) -> str:
        return _in_one(dict(self.values))

    def _typed(self) -> dict[str, str]:
        return {
            name.removeprefix(_VALUE): self._data.get(name, "")
            for name in self._data
            if name.startswith(_VALUE)
        }


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a preview page is of."""

    template: EmailTemplate
    title: str
    compilation: Compilation
    draft: str = ""  # as JSON, of what is not saved
    version: TemplateVersion | None = None


@require_http_methods(["GET", "HEAD", "POST"])
def template_blank_preview(request: HttpRequest) -> HttpResponse:
    """Show a template that was never saved."""
    if request.method != "POST":
        return redirect("campaigns:template_blank")
    return _page(request, _typed(request, EmailTemplate()))


@require_http_methods(["GET", "HEAD", "POST"])
def template_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a template as it is saved, or (POST) as it is typed."""
    template = found(pk)
    is_typed = "source" in request.POST or "draft" in request.POST
    if is_typed:
        require_edit(request, template)
    return _page(request, _typed(request, template) if is_typed else _saved(template))


@require_http_methods(["GET", "HEAD", "POST"])
def template_version(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Show a version with the very content that a campaign sends."""
    template = found(pk)
    version = version_of(template, number)
    compilation = Compilation(contents_of(version))
    shown = _Shown(template, str(version), compilation, version=version)
    return _page(request, shown)


# Nothing runs in it, it sends nothing, and the page around it is out of its reach.
_FRAME = (
    "sandbox; default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline';"
    " font-src https: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)


@xframe_options_sameorigin
@require_safe
def template_frame(request: HttpRequest, token: str) -> HttpResponse:
    """Answer with a message that a page of this user's shows."""
    headers = {
        "Content-Security-Policy": _FRAME,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }
    try:
        html = held.held(token, user_id=request.user.pk or 0)
    except held.Unheld:
        html = None
    if html is None:
        text = _("This preview is not held any more. Show it again.")
        return HttpResponse(text, status=404, content_type="text/plain", headers=headers)
    return HttpResponse(html, headers=headers)


def frame_of(request: HttpRequest, preview: Preview) -> str:
    """Hold the document of a preview for who looks at it; return its token.

    :raises held.Unheld:
    """
    return held.hold(preview.frame, user_id=request.user.pk or 0)


def contents_of(version: TemplateVersion) -> list[CompiledContent]:
    """Return what a version says, the fallback's language first."""
    return [
        CompiledContent(each.language, each.subject, each.html, each.text, tuple(each.links))
        for each in version.contents()
    ]


def _saved(template: EmailTemplate) -> _Shown:
    compilation = compile_draft(draft_of(template), library=library(), known=known_fields() or None)
    return _Shown(template, str(template), compilation)


def _typed(request: HttpRequest, template: EmailTemplate) -> _Shown:
    draft = draft_typed(request, template)
    compilation = compile_draft(draft, library=library(), known=known_fields() or None)
    if not compilation.problems:
        # It was never saved, so nobody has seen yet what it does when it is rendered.
        compilation.problems += rehearsed(tuple(compilation.contents))
    title = _("What is not saved")
    return _Shown(template, title, compilation, json.dumps(draft.as_json()))


def draft_typed(request: HttpRequest, template: EmailTemplate) -> Draft:
    """Return what a form of the editor, or of its preview, says.

    :raises BadRequest:
    """
    may = may_write_raw(request)
    if "draft" not in request.POST:
        editing = Editing(template, request.POST, may_write_raw=may)
        editing.is_valid()  # what is not is left out, and said when it is saved
        draft = draft_of(editing.template, editing.variants())
        return replace(draft, is_raw=draft.is_raw and may)
    try:
        draft = Draft.from_json(json.loads(request.POST["draft"]))
        if not draft.written or not _is_plain(draft):
            raise ValueError
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise BadRequest("This is no draft of a template.") from None
    return replace(draft, is_raw=draft.is_raw and may)


def _is_plain(draft: Draft) -> bool:
    texts = [draft.layout, draft.link_parameters]
    texts += [value for written in draft.written for value in asdict(written).values()]
    are_texts = all(isinstance(text, str) and text.encode() is not None for text in texts)
    return are_texts and isinstance(draft.is_raw, bool)


def _page(request: HttpRequest, shown: _Shown) -> HttpResponse:
    compilation = shown.compilation
    preview, frame, problem = None, "", ""
    if not compilation.problems:
        data = request.POST if request.method == "POST" else request.GET
        preview = Preview(compilation.contents, data, readers=readers_of(request))
        try:
            frame = frame_of(request, preview) if preview.frame else ""
        except held.Unheld as error:
            problem = str(error)
    return page(
        request,
        "preview",
        shown.template,
        here="preview",
        title=shown.title,
        shown=shown,
        preview=preview,
        frame=frame,
        problem=problem,
        views=VIEWS,
        newest_asked=NEWEST,
        **_pictures(shown),
    )


def _pictures(shown: _Shown) -> dict[str, Any]:
    """Return the pictures of the version that is shown, or the version that has some."""
    if shown.version:
        found = list(shown.version.screenshots.defer("png").order_by("language", "pk"))
        asked = [each.asked_at for each in found if each.is_waiting]
        is_late = bool(asked) and min(asked) < timezone.now() - _LONGEST_WAIT
        return {"pictures": found, "is_waiting": bool(asked) and not is_late, "is_late": is_late}
    newest = None if shown.draft else shown.template.versions.order_by("-number").first()
    return {"newest": newest}


def _in_one(values: dict[str, str]) -> str:
    """Return values in the form in which a browser sends back those that nobody changed."""
    return json.dumps({name: "".join(values[name].splitlines()) for name in sorted(values)})


def _ways(content: CompiledContent) -> Ways:
    return Ways(
        subject=content.subject, html=content.html, text=content.text, language=content.language
    )


def _compiled(content: CompiledContent) -> Compiled:
    return compile_content(
        subject=content.subject, html=content.html, text=content.text, language=content.language
    )
