"""A chart as an SVG file: bars from left to right, each with its name and its value."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _LEFT, _RIGHT = 720, 150, 190
_TOP, _ROW, _BAR = 76, 44, 26
_FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: float
    label: str
    is_first: bool = False
    """What the others are compared with; drawn in grey."""


def bars(title: str, note: str, rows: Sequence[Bar]) -> str:
    """Return the chart of these bars, the longest as long as there is room."""
    height = _TOP + _ROW * len(rows) + 12
    longest = max(row.value for row in rows) or 1.0
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' role='img'>",
        f"<title>{escape(title)}</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(20, 32, title, size=18, weight=600),
        _text(20, 54, note, size=13, color="#5b7178"),
        *(line for number, row in enumerate(rows) for line in _bar(number, row, scale)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _bar(number: int, row: Bar, scale: float) -> list[str]:
    y, length = _TOP + _ROW * number, max(2.0, row.value * scale)
    color = "#b9c6ca" if row.is_first else "#0b6477"
    middle = y + _BAR / 2 + 5
    return [
        _text(_LEFT - 12, middle, row.name, anchor="end"),
        f"<rect x='{_LEFT}' y='{y}' width='{length:.1f}' height='{_BAR}' rx='3' fill='{color}'/>",
        _text(_LEFT + length + 10, middle, row.label),
    ]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 14,
    weight: int = 400,
    color: str = "#1d2b30",
    anchor: str = "start",
) -> str:
    place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'"
    look = f"{_FONT} font-size='{size}' font-weight='{weight}' fill='{color}'"
    return f"<text {place} {look}>{escape(text)}</text>"
