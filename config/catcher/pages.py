"""The catcher's pages and its JSON: a request in, an answer out."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from django.conf import settings
from django.template import Context, Engine
from django.utils import translation
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header

from config.catcher.caught import Attachment, Caught
from config.catcher.store import Store

PER_PAGE = 50
MAX_PER_PAGE = 1000
REFRESH_SECONDS = 2

# The pages are ours and run no script. The message is a stranger's: it gets an origin of its own,
# no script and no form; its links open in a new tab.
_PAGE_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_MESSAGE_CSP = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    " img-src data: https: http:; style-src 'unsafe-inline'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_SHOWN_IMAGES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_HEAD_TAG = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_NEW_TAB = '<base target="_blank">'

_engine = Engine(
    dirs=[str(Path(__file__).resolve().parent.parent / "templates")],
    libraries={"i18n": "django.templatetags.i18n"},
)
_css = (Path(__file__).resolve().parent / "catcher.css").read_bytes()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    def parameter(self, name: str, default: str = "") -> str:
        return parse_qs(urlsplit(self.target).query).get(name, [default])[0]

    def number(self, name: str, default: int) -> int:
        text = self.parameter(name)
        return int(text) if text.isdecimal() and len(text) < 10 else default


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Pages:
    """Answers requests from the store.

    `own_host` is a further name under which the pages may be asked for. Others are refused: a
    stranger's page in the browser must not read messages by giving its own name our address.
    """

    def __init__(self, store: Store, own_host: str) -> None:
        self.store = store
        self.own_host = own_host

    def answer(self, request: Request) -> Answer:
        """Return what to send for a request, security headers included."""
        with translation.override(_language(request)):
            answer = self._refusal(request) or self._route(request)
        return Answer(
            answer.body, answer.content_type, answer.status, {**_HEADERS, **answer.headers}
        )

    def _refusal(self, request: Request) -> Answer | None:
        host = request.headers.get("Host", "")
        if not self._is_ours(host):
            return _problem(421, _("This catcher is not called %(host)r.") % {"host": host})
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != host
        if request.method == "POST" and foreign:
            return _problem(403, _("This request comes from another site."))
        return None

    def _is_ours(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        return name in {"localhost", self.own_host} or _is_ip_address(name)

    def _route(self, request: Request) -> Answer:
        if request.method == "POST":
            if request.path != "/delete":
                return _problem(405, _("Nothing here takes a POST."))
            self.store.clear()
            return Answer(b"", status=303, headers={"Location": "/"})
        for pattern, handler in _ROUTES:
            if found := pattern.fullmatch(request.path):
                return handler(self, request, *found.groups())
        return _problem(404, _("There is no such page."))

    # --- the list ----------------------------------------------------------------------------

    def listing(self, request: Request) -> Answer:
        query = request.parameter("q").strip()
        found = self.store.search(query)
        pages = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, request.number("page", 1)), pages)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        live = request.parameter("live") == "1"
        return _page(
            "message_list",
            rows=[_row(caught) for caught in shown],
            query=query,
            found=_number(len(found)),
            count=_number(self.store.count()),
            keep=_number(self.store.keep),
            page=page,
            pages=pages,
            newer=_list_url(query, page - 1, live) if page > 1 else "",
            older=_list_url(query, page + 1, live) if page < pages else "",
            live=live,
            toggle=_list_url(query, page, not live),
            refresh=REFRESH_SECONDS if live else None,
        )

    def api_list(self, request: Request) -> Answer:
        found = self.store.search(request.parameter("q").strip())
        limit = min(max(1, request.number("limit", PER_PAGE)), MAX_PER_PAGE)
        start = (max(1, request.number("page", 1)) - 1) * limit
        rows = [_as_json(caught) for caught in found[start : start + limit]]
        return _json({"count": len(found), "messages": rows})

    # --- one message -------------------------------------------------------------------------

    def message(self, _request: Request, message_id: str, view: str | None) -> Answer:
        caught = self.store.get(int(message_id))
        if caught is None:
            return _gone()
        html = caught.html()
        newer, older = self.store.neighbours(caught.id)
        return _page(
            "message_detail",
            message=_row(caught),
            caught=caught,
            view=view or ("html" if html is not None else "text"),
            html=html is not None,
            text=caught.text(),
            headers=caught.headers(),
            attachments=[_attachment_row(caught, part) for part in caught.attachments()],
            newer=newer,
            older=older,
        )

    def body(self, _request: Request, message_id: str) -> Answer:
        """Show the HTML as a mail client would, shut off from everything else."""
        caught = self.store.get(int(message_id))
        html = caught.html() if caught else None
        if caught is None or html is None:
            return _gone()
        for part in caught.attachments():
            if part.content_id:
                html = html.replace(f"cid:{part.content_id}", _part_url(caught, part))
        return Answer(
            _with_links_in_new_tabs(html).encode(),
            "text/html; charset=utf-8",
            headers={"Content-Security-Policy": _MESSAGE_CSP},
        )

    def part(self, _request: Request, message_id: str, number: str) -> Answer:
        caught = self.store.get(int(message_id))
        parts = caught.attachments() if caught else []
        for part in parts:
            if part.number == int(number):
                return _download(part)
        return _gone()

    def download(self, _request: Request, message_id: str) -> Answer:
        caught = self.store.get(int(message_id))
        if caught is None:
            return _gone()
        name = f"message-{caught.id}.eml"
        return Answer(
            caught.data,
            "message/rfc822",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def api_message(self, _request: Request, message_id: str) -> Answer:
        caught = self.store.get(int(message_id))
        if caught is None:
            return _json({"error": "There is no such message."}, status=404)
        attachments = [_attachment_row(caught, part) for part in caught.attachments()]
        return _json(
            {
                **_as_json(caught),
                "headers": caught.headers(),
                "text": caught.text(),
                "html": caught.html(),
                "raw": caught.raw(),
                "attachments": attachments,
            }
        )

    # --- the rest ----------------------------------------------------------------------------

    def health(self, _request: Request) -> Answer:
        return Answer(b"ok\n")

    def css(self, _request: Request) -> Answer:
        return Answer(_css, "text/css; charset=utf-8")


_ROUTES: tuple[tuple[re.Pattern[str], Callable[..., Answer]], ...] = tuple(
    (re.compile(pattern), handler)
    for pattern, handler in (
        (r"/", Pages.listing),
        (r"/healthz", Pages.health),
        (r"/catcher\.css", Pages.css),
        (r"/api/messages", Pages.api_list),
        (r"/api/messages/(\d{1,15})", Pages.api_message),
        (r"/messages/(\d{1,15})\.eml", Pages.download),
        (r"/messages/(\d{1,15})/body", Pages.body),
        (r"/messages/(\d{1,15})/parts/(\d{1,6})", Pages.part),
        (r"/messages/(\d{1,15})(?:/(html|text|headers|raw))?", Pages.message),
    )
)


def _page(name: str, *, status: int = 200, **context: Any) -> Answer:
    text = _engine.get_template(f"catcher/{name}.html").render(
        Context(context, use_l10n=False)  # ids in URLs are not numbers to be grouped
    )
    return Answer(
        text.encode(),
        "text/html; charset=utf-8",
        status,
        {"Content-Security-Policy": _PAGE_CSP},
    )


def _json(value: object, *, status: int = 200) -> Answer:
    return Answer(json.dumps(value, indent=1).encode(), "application/json", status)


def _problem(status: int, text: str) -> Answer:
    return Answer(f"{text}\n".encode(), status=status)


def _gone() -> Answer:
    return _page("gone", status=404)


def _download(part: Attachment) -> Answer:
    """Give images that browsers know as what they are, and all else as bytes to save."""
    shown = part.content_type in _SHOWN_IMAGES
    disposition = "inline" if shown else f"attachment; filename*=UTF-8''{quote(part.name, safe='')}"
    return Answer(
        part.content,
        part.content_type if shown else "application/octet-stream",
        headers={
            "Content-Disposition": disposition,
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )


def _row(caught: Caught) -> dict[str, Any]:
    return {
        "id": caught.id,
        **caught.summary,
        "time": _local(caught.at),
        "size": _size(len(caught.data)),
        "iso": caught.at.isoformat(),
    }


def _as_json(caught: Caught) -> dict[str, Any]:
    return {
        "id": caught.id,
        "time": caught.at.isoformat(),
        "envelope_sender": caught.envelope_sender,
        "recipients": caught.recipients,
        **caught.summary,
        "size": len(caught.data),
    }


def _attachment_row(caught: Caught, part: Attachment) -> dict[str, Any]:
    return {
        "name": part.name,
        "content_type": part.content_type,
        "size": _size(len(part.content)),
        "url": _part_url(caught, part),
    }


def _part_url(caught: Caught, part: Attachment) -> str:
    return f"/messages/{caught.id}/parts/{part.number}"


def _list_url(query: str, page: int, live: bool) -> str:
    parameters = {"q": query, "page": page if page > 1 else "", "live": "1" if live else ""}
    return "/?" + urlencode({name: value for name, value in parameters.items() if value})


def _with_links_in_new_tabs(html: str) -> str:
    head = _HEAD_TAG.search(html)
    at = head.end() if head else 0
    return html[:at] + _NEW_TAB + html[at:]


def _language(request: Request) -> str:
    """Return which of our languages the browser asks for first; programs read English."""
    if request.path.startswith("/api/"):
        return settings.LANGUAGE_CODE
    accepted = request.headers.get("Accept-Language", "").lower()
    ours = dict(settings.LANGUAGES)
    asked = (name for name, _quality in parse_accept_lang_header(accepted))
    named = (each for name in asked for each in (name, name.partition("-")[0]))
    return next((each for each in named if each in ours), settings.LANGUAGE_CODE)


def _local(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{number_format(count / 1024, 1)} KB"
    return f"{number_format(count / 1024 / 1024, 1)} MB"


def _number(count: int) -> str:
    return number_format(count, force_grouping=True)


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
