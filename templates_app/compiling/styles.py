"""What fields may print in a style: a value of it, and never a declaration, a rule or a function.

Who reads a style does not see where a field began: `red; background: url(…)` is as good to it as
what the author wrote, and that quotes are escaped means nothing to it.
"""

import html as entities
import re
from collections.abc import Iterator

from django.utils.translation import gettext as _

from templates_app.compiling.problems import Problem
from templates_app.compiling.protection import Protection

_BEFORE = re.compile(r"[@\\][\w-]*\Z")
_AFTER = re.compile(r"[\w-]*(?:\s*:|\()")


def guard_styles(html: str, protection: Protection) -> Iterator[Problem]:
    """Have the tags in styles print no more than a value; yield what would be something else.

    :param html: with words for all tags.
    """
    for shift, token in protection.everywhere(html):
        if token.kind == "raw" and token.name == "style":
            yield from _guard(html[shift + token.start : shift + token.end], protection)
        for attribute in token.attributes if token.kind == "start" else ():
            if attribute.name == "style":
                yield from _guard(entities.unescape(attribute.value), protection)


def _guard(css: str, protection: Protection) -> Iterator[Problem]:
    marks = list(protection.marks(css))
    ends = [0, *(mark.end() for mark in marks)]
    starts = [*(mark.start() for mark in marks), len(css)]
    for number, mark in enumerate(marks):
        before, after = css[ends[number] : mark.start()], css[mark.end() : starts[number + 1]]
        tag = protection.tag(mark)
        if not tag.word and (_BEFORE.search(before) or _AFTER.match(after)):
            yield tag.problem(
                _("%(tag)s may not be a name in a style; write the name out, and print a value")
                % {"tag": tag.source}
            )
        protection.guard(mark, "css")
