"""Draw line plots as SVG, without a plotting library."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 320
LEFT: Final = 60
RIGHT: Final = 180  # room for the names of the lines
TOP: Final = 36
BOTTOM: Final = 44
_COLOURS: Final = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#be123c", "#0f766e", "#a16207", "#475569")

Points = Sequence[tuple[float, float]]


@dataclass
class Plot:
    """Lines over one horizontal axis. Its steps are drawn at equal distances, as on a logarithmic axis."""

    name: str
    title: str
    across: str
    up: str
    lines: dict[str, list[tuple[float, float]]]


def svg(plot: Plot) -> str:
    """Return the plot as an SVG document."""
    steps = sorted({x for points in plot.lines.values() for x, _ in points})
    top = _round_up(max(y for points in plot.lines.values() for _, y in points))
    fonts = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {fonts} role="img">',
        f"<title>{escape(plot.title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 20, plot.title, "start", "14"),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, plot.across),
        _text(LEFT - 6, TOP - 4, plot.up, "end", "11"),
    ]
    for part in range(5):
        value = top * part / 4
        y = _y(value, top)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{value:g}", "end"))
    parts += [_text(_x(step, steps), HEIGHT - BOTTOM + 16, f"{step:,.0f}") for step in steps]
    parts += _lines(plot.lines, steps, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _lines(lines: Mapping[str, Points], steps: Sequence[float], top: float) -> list[str]:
    parts = []
    for at, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[at % len(_COLOURS)]
        places = [(_x(x, steps), _y(y, top)) for x, y in sorted(points)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        y = TOP + 16 * at
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{y}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 30, y + 9, name, "start"))
    return parts


def _x(value: float, steps: Sequence[float]) -> float:
    share = steps.index(value) / (len(steps) - 1) if len(steps) > 1 else 0.5
    return LEFT + 10 + share * (WIDTH - RIGHT - LEFT - 20)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP)


def _text(x: float, y: float, text: str, anchor: str = "middle", size: str = "12") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="#222">'
        f"{escape(text)}</text>"
    )


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 4, 6, 8 or 10 times a power of ten, whose quarters are short numbers."""
    if value <= 0:
        return 1
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
