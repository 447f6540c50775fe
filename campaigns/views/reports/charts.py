"""Bars of an SVG: places and heights as text, so that no language writes them with a comma."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from recipients.translatable import number

WIDTH, HEIGHT = 720, 96
_GAP = 0.15  # of a bar's room


@dataclass(frozen=True, slots=True)
class Bar:
    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one kind; `summary` says in words what they show."""

    name: str
    tone: str
    bars: Sequence[Bar]
    summary: str


def charts(names: Sequence[str], kinds: Iterable[tuple[str, str, Iterable[int]]]) -> list[Chart]:
    """Return the chart of each kind (name, tone, counts) over the same times or periods."""
    return [
        chart(name, tone, list(zip(names, counts, strict=True))) for name, tone, counts in kinds
    ]


def chart(name: str, tone: str, points: Sequence[tuple[str, int]]) -> Chart:
    """Return the bars of these points, each a name and a count."""
    most = max((count for _title, count in points), default=0)
    room = WIDTH / len(points) if points else 0
    bars = [
        Bar(
            x=f"{place * room:.2f}",
            y=f"{HEIGHT - _height(count, most):.2f}",
            width=f"{room * (1 - _GAP):.2f}",
            height=f"{_height(count, most):.2f}",
            title=f"{title}: {number(count)}",
        )
        for place, (title, count) in enumerate(points)
        if count
    ]
    return Chart(name, tone, bars, _summary(points, most))


def width_of(part: int, whole: int) -> str:
    """Return the width of a bar of a hundred."""
    return f"{100 * part / whole:.2f}" if whole else "0"


def _height(count: int, most: int) -> float:
    """Return the height of a bar; what is not nothing is seen."""
    return max(2.0, HEIGHT * count / most) if count else 0.0


def _summary(points: Sequence[tuple[str, int]], most: int) -> str:
    if not most:
        return _("None.")
    total = sum(count for _title, count in points)
    title = next(title for title, count in points if count == most)
    said = _("%(total)s in all; most at %(title)s: %(most)s.")
    return said % {"total": number(total), "title": title, "most": number(most)}
