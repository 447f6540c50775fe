"""What an author must know about what was written, and where it stands."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

_PARTS = {
    "subject": gettext_lazy("subject"),
    "preheader": gettext_lazy("preheader"),
    "source": gettext_lazy("source"),
    "text": gettext_lazy("text"),
    "layout": gettext_lazy("layout"),
    "link_parameters": gettext_lazy("link_parameters"),
    "language": gettext_lazy("language"),
    "name": gettext_lazy("name"),
    "template": gettext_lazy("template"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault, or a warning, in the words of the author's own source."""

    part: str  # subject, preheader, source, text, layout or link_parameters
    line: int | None
    message: str
    language: str = ""
    piece: str = ""  # such as: snippet 'footer', where the line is one of it
    unknown: str = ""  # the name that nobody has, where that is the problem

    def __str__(self) -> str:
        said = {
            "where": self.piece or _PARTS.get(self.part, self.part),
            "line": self.line,
            "language": self.language,
            "message": self.message,
        }
        if self.line and self.language:
            return _("%(where)s, line %(line)s (%(language)s): %(message)s") % said
        if self.line:
            return _("%(where)s, line %(line)s: %(message)s") % said
        if self.language:
            return _("%(where)s (%(language)s): %(message)s") % said
        return _("%(where)s: %(message)s") % said
