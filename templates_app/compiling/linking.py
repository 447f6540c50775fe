"""The links of a message: parameters added to their addresses, and the list of them."""

import html as entities
import re

from django.utils.translation import gettext as _

from templates_app.compiling.markup import Token, edited
from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection

_PAGE = re.compile(r"\s*https?://", re.IGNORECASE)


def with_parameters(
    html: str, parameters: str, protection: Protection
) -> tuple[str, list[Problem]]:
    """Add parameters to each link to a web page; what an address has already stays as it is.

    :param html: with words for all tags, as `parameters` is, which are not escaped yet.
    """
    edits: list[tuple[int, int, str]] = []
    warnings: list[Problem] = []
    for shift, token in protection.everywhere(html) if parameters else ():
        for attribute in token.attributes if _is_link(token) else ():
            if not (attribute.name == "href" and _PAGE.match(attribute.value)):
                continue
            if condition := _condition(attribute.value, protection):
                warnings.append(condition)
                continue
            address = _extended(entities.unescape(attribute.value.strip()), parameters)
            value = entities.escape(address)
            quoted = value if attribute.is_quoted else f'"{value}"'
            edits.append((shift + attribute.start, shift + attribute.end, quoted))
    return edited(html, edits), warnings


def _is_link(token: Token) -> bool:
    """Whether a reader can follow it; what Outlook draws (VML) has links of its own."""
    return token.kind == "start" and (token.name in {"a", "area"} or token.name.startswith("v:"))


def _condition(address: str, protection: Protection) -> Problem | None:
    for mark in protection.marks(address):
        tag = protection.tag(mark)
        if tag.word:
            return tag.problem(
                _(
                    "link parameters are not added to an address with a condition in it; write two "
                    "links"
                )
            )
    return None


def _extended(address: str, parameters: str) -> str:
    rest, hash_sign, fragment = address.partition("#")
    path, _, query = rest.partition("?")
    present = {each.partition("=")[0] for each in query.split("&")}
    added = [each for each in parameters.split("&") if each.partition("=")[0] not in present]
    query = "&".join([*([query] if query else []), *added])
    return f"{path}?{query}{hash_sign}{fragment}" if query else address


def links(html: str, protection: Protection) -> tuple[str, ...]:
    """Return the targets of the links as they stand in the HTML, each once, in their order."""
    found = (
        protection.restore(token.value("href")).strip()
        for token in protection.tokens(html)
        if token.kind == "start" and token.name == "a"
    )
    return tuple(dict.fromkeys(each for each in found if each and not each.startswith("#")))
