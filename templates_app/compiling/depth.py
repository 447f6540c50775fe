"""How deep elements are nested: those who read HTML and MJML after us do it on their stack.

Five thousand `<mj-wrapper>`, or twenty thousand `<div>`, end the whole process.
"""

from collections.abc import Iterator

from templates_app.compiling.expanding import Expanded
from templates_app.compiling.markup import VOID, mjml_tokens
from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection

DEEPEST = 256  # a browser shows 512 (Blink, WebKit); tables within tables need 40

# One that is not closed ends where the next of them begins.
_ENDS_BY_ITSELF = frozenset(
    {"body", "dd", "dt", "head", "html", "li", "option", "p", "tbody", "td", "th", "tr"}
)


def too_deep(expanded: Expanded, protection: Protection) -> Iterator[Problem]:
    """Yield a problem where elements are open inside too many others."""
    depth = 0
    for token in mjml_tokens(protection.protect(expanded)):
        if token.name in VOID or token.name in _ENDS_BY_ITSELF or token.is_closed:
            continue
        if token.kind == "start":
            depth += 1
        elif token.kind == "end":
            depth = max(depth - 1, 0)
        if depth > DEEPEST:
            offset = protection.offset(protection.protect(expanded), token.start)
            message = f"<{token.name}> stands inside {DEEPEST} others that are open; close them"
            yield expanded.problem(offset, message)
            return
