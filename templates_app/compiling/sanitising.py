"""Take out of HTML what has no place in mail: programs, forms, frames, and what calls home.

nh3 decides; its allow-list is written out here, and the same lists say on which line of the
author's source something stood that is not in the message.
"""

import html as entities
import re
from collections.abc import Iterator

import css_inline
import nh3
from django.utils.translation import gettext as _

from templates_app.compiling.markup import MJML_RAW, RAW, Attribute, Token, edited
from templates_app.compiling.protection import MARK, Protection
from templates_app.schemes import is_program

_TAGS = frozenset(nh3.ALLOWED_TAGS) | frozenset(
    {"address", "big", "font", "label", "main", "picture", "section", "source", "style", "tfoot"}
)
_IN_HEAD = frozenset({"html", "head", "body", "meta", "title", "style"})
# What Outlook alone reads stands in comments, and may have these besides.
_FOR_OUTLOOK = re.compile(r"(?:[vo]|w):[a-z]+|xml|noscript|head|body|meta")
_RAW_FOR_OUTLOOK = RAW - {"noscript"}  # it runs no script
_WITH_CONTENT = frozenset(
    {"applet", "embed", "frame", "frameset", "iframe", "math", "noembed", "noframes", "noscript"}
    | {"object", "script", "select", "svg", "template", "textarea", "title", "xmp"}
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"align", "background", "bgcolor", "border", "class", "color", "dir", "height", "hidden"}
    | {"id", "lang", "role", "style", "title", "valign", "width", "bordercolor"},
    "a": {"href", "name", "rel", "target"},
    "area": {"alt", "coords", "href", "shape", "target"},
    "blockquote": {"cite"},
    "br": {"clear"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "font": {"face", "size"},
    "hr": {"noshade", "size"},
    "img": {"alt", "hspace", "ismap", "loading", "sizes", "src", "srcset", "usemap", "vspace"},
    "input": {"checked", "type"},
    "ins": {"cite", "datetime"},
    "label": {"for"},
    "li": {"type", "value"},
    "map": {"name"},
    "ol": {"reversed", "start", "type"},
    "q": {"cite"},
    "source": {"media", "sizes", "srcset", "type"},
    "style": {"media", "type", "data-css-inline"},
    "table": {"cellpadding", "cellspacing", "frame", "rules", "summary"},
    # MJML writes the last one, which does nothing, beside its buttons.
    "td": {"abbr", "axis", "colspan", "headers", "nowrap", "rowspan", "scope", "vertical-align"},
    "th": {"abbr", "axis", "colspan", "headers", "nowrap", "rowspan", "scope"},
    "time": {"datetime"},
    "ul": {"type"},
    "html": {"xmlns", "xmlns:v", "xmlns:o", "xmlns:w"},
    "meta": {"charset", "content", "http-equiv", "name"},
}
_PREFIXES = ("data-", "aria-")
_ADDRESSES = frozenset({"href", "src", "background", "cite"})
_SCHEMES = {"http", "https", "mailto", "tel", "sms", "cid"}
_META = frozenset({"content-type", "x-ua-compatible"})
_BAD_STYLE = re.compile(
    r"expression\s*\(|behaviou?r\s*:|-moz-binding|javascript\s*:|vbscript\s*:|data\s*:|</",
    re.IGNORECASE,
)
_IMPORT = re.compile(r"@import\b[^;{}]*;?", re.IGNORECASE)
_CSS_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)|/\*.*?(?:\*/|\Z)", re.DOTALL)
_CONDITIONAL = re.compile(r"<!--\[if[^\]]*\]>(.*)<!\[endif\]-->", re.DOTALL)

_HAS_BODY = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
_BEFORE, _AFTER = "<html><head></head><body>", "</body></html>"

_REPARSED = css_inline.CSSInliner(
    inline_style_tags=False,
    keep_style_tags=True,
    keep_link_tags=True,
    load_remote_stylesheets=False,
)


def sanitised(html: str, protection: Protection) -> str:
    """Return HTML without what is not allowed; the very same text where nothing is to be removed.

    :param html: with marks that fit their place (`Protection.in_context`).
    """
    if not _HAS_BODY.search(html):
        return _as_fragment(html, protection)
    whole = _REPARSED.inline(html)
    edits = [
        edit for token in protection.tokens(whole) for edit in _removals(whole, token, protection)
    ]
    allowed = edited(whole, _outermost(edits))
    start, end = _inside(allowed, protection)
    inner = allowed[start:end]
    cleaned = _cleaned(allowed, start, end, protection)
    # What stands in the source may be left out only because of where it is read just now.
    if (
        not edits
        and _same(cleaned, inner, protection)
        and not any(removed(protection.as_words(html), protection))
    ):
        return html
    return f"{allowed[:start]}{cleaned}{allowed[end:]}"


def _as_fragment(html: str, protection: Protection) -> str:
    """Sanitise what has no body of its own, and give it none."""
    document = f"{_BEFORE}{html}{_AFTER}"
    clean = sanitised(document, protection)
    if clean == document:
        return html
    start, end = _inside(clean, protection)
    return clean[start:end].removesuffix("\n")


def _inside(document: str, protection: Protection) -> tuple[int, int]:
    """Return where the content of the body begins and ends; all of it where there is no body."""
    start = next((each.end for each in protection.tokens(document) if _is_body(each)), 0)
    end = document.rfind("</body>")
    return start, end if end >= start else len(document)


def removed(
    html: str, protection: Protection, *, is_mjml: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield what is not allowed in a source of HTML, MJML or Markdown, with its place.

    :param html: with words for all tags.
    """
    for token in protection.tokens(html, raw=RAW | MJML_RAW if is_mjml else RAW):
        text = html[token.start : token.end]
        if token.kind == "start":
            yield from _removed_of(token)
        elif (
            token.kind == "raw" and token.name in {"style", "mj-style"} and _plain_css(text) != text
        ):
            yield token.start, _("styles that load something or run something were left out")
        elif token.kind == "comment" and not _is_harmless(text, protection):
            yield token.start, _("a comment for Outlook with what is not allowed was left out")


def _removed_of(token: Token) -> Iterator[tuple[int, str]]:
    is_mjml = token.name.startswith("mj")
    if not is_mjml and (fault := _fault(token)):
        yield token.start, _("%(fault)s was left out; mail does not have it") % {"fault": fault}
        return
    for attribute in token.attributes:
        is_bad = attribute.name in _ADDRESSES and _is_program(attribute.value)
        if is_bad or not (is_mjml or _is_allowed(token.name, attribute)):
            yield attribute.name_start, _words(token.name, attribute)


def _words(tag: str, attribute: Attribute) -> str:
    value = attribute.value if len(attribute.value) <= 40 else f"{attribute.value[:37]}…"
    return _('%(attribute)s="%(value)s" of <%(tag)s> was left out; mail does not have it') % {
        "attribute": attribute.name,
        "value": value,
        "tag": tag,
    }


def _is_body(token: Token) -> bool:
    return token.kind == "start" and token.name == "body"


def _fault(token: Token) -> str:
    """Return what is wrong with an element, if it may not be there at all."""
    name = token.name
    if name == "meta":
        refused = token.value("http-equiv").lower()
        return f"<meta http-equiv={refused!r}>" if refused and refused not in _META else ""
    if name == "input" and token.value("type") == "checkbox":
        return "" if token.value("class").startswith("mj-") else "<input>"  # which MJML makes
    if name == "link":
        return _("<link> to %(address)r") % {"address": token.value("href") or _("nothing")}
    return "" if name in _TAGS or name in _IN_HEAD else f"<{name}>"


def _is_allowed(tag: str, attribute: Attribute) -> bool:
    name, value = attribute.name, entities.unescape(attribute.value)
    if not (
        name in _ATTRIBUTES["*"] or name in _ATTRIBUTES.get(tag, ()) or name.startswith(_PREFIXES)
    ):
        return False
    if name in _ADDRESSES:
        return not _is_program(value)
    if name == "srcset":
        return not any(_is_program(each) for each in value.split(","))
    return name != "style" or _plain_css(value) == value


def _is_program(value: str) -> bool:
    """Whether an address leads elsewhere than to a page, whatever its tags print."""
    literals = re.split(MARK, value)
    if re.match(r"\s*(?:[a-z]+://|mailto:|tel:|sms:|[/?#])", literals[0], re.IGNORECASE):
        return is_program(literals[0])
    return is_program("".join(literals)) or any(is_program(each) for each in literals)


def _plain_css(css: str) -> str:
    """Return CSS without imports; nothing of it where it runs something."""
    plain = _CSS_ESCAPE.sub(_unescaped, re.sub(MARK, "", css))  # a tag may print nothing
    if _BAD_STYLE.search(plain) or ("@import" in plain.lower() and "@import" not in css.lower()):
        return ""
    return _IMPORT.sub("", css)


def _unescaped(found: re.Match[str]) -> str:
    if found[1]:
        number = int(found[1], 16)
        return chr(number) if 0 < number < 0x110000 else ""
    return found[2] or ""


def _is_harmless(comment: str, protection: Protection) -> bool:
    """Whether a comment holds, for Outlook, nothing that would not be allowed outside it."""
    conditional = _CONDITIONAL.fullmatch(comment)
    if conditional is None:
        return not comment.startswith("<!--[if") or comment.endswith("]><!-->")
    inner = conditional[1]
    for token in protection.tokens(inner, raw=_RAW_FOR_OUTLOOK):
        if token.kind == "start" and not _is_fit_for_outlook(token):
            return False
        if token.kind == "raw" and _plain_css(inner[token.start : token.end]) == "":
            return False
    return True


def _is_fit_for_outlook(token: Token) -> bool:
    if _FOR_OUTLOOK.fullmatch(token.name):
        return not any(
            each.name.startswith("on") or _is_program(entities.unescape(each.value))
            for each in token.attributes
            if each.name in _ADDRESSES or each.name.startswith("on")
        )
    return not _fault(token) and all(_is_allowed(token.name, each) for each in token.attributes)


def _removals(html: str, token: Token, protection: Protection) -> Iterator[tuple[int, int, str]]:
    """Yield the edits that make a token of a whole document an allowed one."""
    text = html[token.start : token.end]
    if token.kind == "comment" and not _is_harmless(text, protection):
        yield token.start, token.end, ""
    elif token.kind == "raw" and token.name == "style" and _plain_css(text) != text:
        yield token.start, token.end, _plain_css(text)
    elif token.kind in {"start", "end"} and _fault(token):
        end = token.end
        if token.kind == "start" and token.name in _WITH_CONTENT:
            close = html.find(f"</{token.name}>", token.end)
            end = close if close >= 0 else token.end
        yield token.start, end, ""
    elif token.kind == "start" and any(
        not _is_allowed(token.name, each) for each in token.attributes
    ):
        kept = [each for each in token.attributes if _is_allowed(token.name, each)]
        attributes = "".join(f' {each.name}="{each.value}"' for each in kept)
        yield token.start, token.end, f"<{token.name}{attributes}>"


def _outermost(edits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the edits that do not stand inside another one."""
    kept: list[tuple[int, int, str]] = []
    for edit in sorted(edits, key=lambda each: (each[0], -each[1])):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept


def _cleaned(document: str, start: int, end: int, protection: Protection) -> str:
    # An address that begins with a tag has, to nh3, a scheme that nobody allows.
    base = f"https://{protection.placeholder(0)}/"
    edits = [
        (attribute.start - start, attribute.start - start, base)
        for token in protection.tokens(document)
        for attribute in token.attributes
        if attribute.name in _ADDRESSES
        and start <= attribute.start < end
        and protection.is_in(attribute.value)
    ]
    cleaned = nh3.clean(
        edited(document[start:end], edits),
        tags={*_TAGS, "input"},
        clean_content_tags=set(_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        strip_comments=False,
        link_rel=None,
        generic_attribute_prefixes=set(_PREFIXES),
        url_schemes=_SCHEMES,
    )
    return cleaned.replace(base, "")


def _same(one: str, other: str, protection: Protection) -> bool:
    return one == other or _shape(one, protection) == _shape(other, protection)


def _shape(html: str, protection: Protection) -> list[object]:
    """Return what a document says, however it is written."""
    shape: list[object] = []
    for token in protection.tokens(html):
        if token.kind in {"start", "end"}:
            values = {each.name: entities.unescape(each.value) for each in token.attributes}
            shape.append((token.kind, token.name, values))
        else:
            text = entities.unescape(html[token.start : token.end])
            shape.append((token.kind, text))
    return shape
