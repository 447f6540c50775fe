"""What is done to the HTML of every template: styles inlined, preheader, language."""

import html as entities
import re

import css_inline

from templates_app.compiling.markup import Token, edited, tokens
from templates_app.compiling.mjml import INLINED
from templates_app.compiling.protection import MARK, Protection
from templates_app.languages import is_right_to_left

_HAS_BODY = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
_IGNORED = 'data-css-inline="ignore"'
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_AT_RULE = re.compile(r"@[^{};@]*(?:;|\{(?:[^{}]|\{[^{}]*\})*\})")
_ROWS_WITHOUT_BODY = re.compile(rf"(<table\b[^>]*>)((?:\s*<!--{MARK}-->)+\s*)(?=<tr\b)")
# An inbox shows about 150 characters behind the subject: without these, what the body begins with.
_FILLER = "&#847;&zwnj;&nbsp;" * 75
_PREHEADER = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;'
    'overflow:hidden;mso-hide:all;">{}' + _FILLER + "</div>"
)

_INLINER = css_inline.CSSInliner(
    keep_style_tags=True, keep_link_tags=True, load_remote_stylesheets=False
)


def inlined(html: str, protection: Protection, *, is_mjml: bool) -> str:
    """Write the rules of style sheets beside what they apply to; the sheets stay.

    What has nothing to inline stays as it was written: media queries apply where they are. MJML
    has its rules in place already, but for those of `<mj-style inline="inline">`.

    :param html: with marks that fit their place.
    """
    if is_mjml and INLINED not in html:
        return html
    sheets = [
        token for token in protection.tokens(html) if token.kind == "raw" and token.name == "style"
    ]
    kept = [
        sheet for sheet in sheets if _is_kept(html[sheet.start : sheet.end], protection, is_mjml)
    ]
    if len(kept) == len(sheets):
        return html
    marked = edited(html, [(_name_end(html, sheet),) * 2 + (f" {_IGNORED}",) for sheet in kept])
    marked = _ROWS_WITHOUT_BODY.sub(r"\1<tbody>\2", marked.replace(INLINED, ""))
    if _HAS_BODY.search(marked):
        return _INLINER.inline(marked).replace(f" {_IGNORED}", "")
    document = _INLINER.inline(f"<html><head></head><body>{marked}</body></html>")
    inner = document[document.index("<body>") + len("<body>") : document.rindex("</body>")]
    return inner.replace(f" {_IGNORED}", "")


def _is_kept(css: str, protection: Protection, is_mjml: bool) -> bool:
    if is_mjml and not css.startswith(INLINED):
        return True
    rules = _AT_RULE.sub("", _COMMENT.sub("", css))
    return "{" not in rules or protection.is_in(css)


def _name_end(html: str, sheet: Token) -> int:
    return html.rindex("<", 0, sheet.start) + len("<style")


def with_preheader(html: str, preheader: str, protection: Protection) -> str:
    """Put hidden text at the beginning of the body.

    :param preheader: with words for its tags, not escaped yet.
    """
    if not preheader.strip():
        return html
    hidden = _PREHEADER.format(entities.escape(preheader.strip(), quote=False))
    at = 0
    for token in tokens(html):
        if token.kind == "declaration" or (token.kind == "start" and token.name == "body"):
            at = token.end
        if token.kind == "start" and token.name == "body":
            break
    return f"{html[:at]}{hidden}{html[at:]}"


def with_language(html: str, language: str) -> str:
    """Name the language in `<html>`, and its direction, where the author has not.

    The body has it, too, or a `<div>` around all: web mail leaves `<html>` out.
    """
    if not language:
        return html
    root = next(
        (each for each in tokens(html) if (each.kind, each.name) == ("start", "html")), None
    )
    direction = "rtl" if is_right_to_left(language) else "ltr"
    if direction == "rtl":
        html = _from_the_right(html, entities.escape(language))
    if root is None:
        return html
    text = html[root.start : root.end].replace(' lang="und"', "").replace(' dir="auto"', "")
    is_named = root.value("lang") not in {"", "und"}
    added = "" if is_named else f' lang="{entities.escape(language)}"'
    if root.value("dir") in {"", "auto"}:
        added += f' dir="{direction}"' if direction == "rtl" else ""
    text = text[:5] + added + text[5:]
    rest = html[root.end :]
    if direction == "rtl" or not is_named:
        rest = rest.replace('lang="und" dir="auto"', f'lang="{language}" dir="{direction}"', 1)
    return html[: root.start] + text + rest


def _from_the_right(html: str, language: str) -> str:
    body = next(
        (each for each in tokens(html) if (each.kind, each.name) == ("start", "body")), None
    )
    if body is None:
        is_fragment = not _HAS_BODY.search(html)
        return f'<div lang="{language}" dir="rtl">{html}</div>' if is_fragment and html else html
    if body.value("dir"):
        return html
    at = body.start + len("<body")
    named = "" if body.value("lang") else f' lang="{language}"'
    return f'{html[:at]}{named} dir="rtl"{html[at:]}'
