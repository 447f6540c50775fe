"""Parts of a whole, in words: never without the counts that they come of."""

from dataclasses import dataclass


def percent(part: int, whole: int) -> str:
    """Return a share with one decimal; a dash where there is no whole."""
    if not whole:
        return "–"  # noqa: RUF001
    share = 100 * part / whole
    if part and share < 0.1:
        return "<0.1 %"
    if part < whole and share > 99.9:
        return ">99.9 %"
    return f"{share:.1f} %" if part else "0 %"


@dataclass(frozen=True, slots=True)
class Share:
    part: int
    whole: int

    @property
    def percent(self) -> str:
        return percent(self.part, self.whole)

    def __str__(self) -> str:
        return f"{self.percent} · {self.part:,} of {self.whole:,}"
