"""Parts of a whole, in words: never without the counts that they come of."""

from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from recipients.translatable import number


def percent(part: int, whole: int) -> str:
    """Return a share with one decimal; a dash where there is no whole."""
    if not whole:
        return "–"  # noqa: RUF001
    share = 100 * part / whole
    if part and share < 0.1:
        return f"<{number_format(0.1, 1)} %"
    if part < whole and share > 99.9:
        return f">{number_format(99.9, 1)} %"
    return f"{number_format(round(share, 1), 1)} %" if part else "0 %"


@dataclass(frozen=True, slots=True)
class Share:
    part: int
    whole: int

    @property
    def percent(self) -> str:
        return percent(self.part, self.whole)

    def __str__(self) -> str:
        counts = {"part": number(self.part), "whole": number(self.whole)}
        return f"{self.percent} · " + _("%(part)s of %(whole)s") % counts
