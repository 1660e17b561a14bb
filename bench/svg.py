"""Draws curves as SVG: panels side by side, with axes, ticks, points and a legend, legible on light and dark pages."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

Line = Sequence[tuple[float, float]]
COLOURS = ("#3b82f6", "#d97706", "#059669", "#db2777", "#8b5cf6", "#64748b", "#0891b2", "#b45309")
STYLE = """
text { fill: #1f2937; font: 12px system-ui, sans-serif; } .title { font-size: 15px; font-weight: 600; }
.paper { fill: #ffffff; } .grid { stroke: #dde1e7; } .axis { stroke: #1f2937; } .line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #d7dde5; } .paper { fill: #0d1117; } .grid { stroke: #30363d; } .axis { stroke: #d7dde5; }
}
"""
WIDTH, HEIGHT, LEFT, TOP = 380, 240, 60, 84  # of a panel, and what is left of and above it
STEP = WIDTH + LEFT + 20
ROW = 20  # between the lines of a legend


def short(value: float) -> str:
    """Return a number as ticks show it: 20, 1.5k, 2M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def ticks(values: Sequence[float], *, log: bool) -> list[float]:
    """Return round numbers that take all values in: 1, 2, 5 and their tenfolds, or even steps from nought."""
    least, most = min(values), max(values)
    if not log:
        step = next(one for one in _round(most / 1000) if one * 6 >= most)
        return [step * number for number in range(math.ceil(most / step) + 1)]
    marks = _round(least / 10)
    inside = [one for one, after in zip(marks, [*marks[1:], math.inf], strict=True) if after > least and one < most]
    inside.append(next(one for one in marks if one >= most))
    inside = list(dict.fromkeys(inside))
    return inside if len(inside) > 1 else [inside[0], inside[0] * 2]


def _round(least: float) -> list[float]:
    power = math.floor(math.log10(least))
    return [digit * 10.0**exponent for exponent in range(power, power + 16) for digit in (1, 2, 5)]


def _scale(marks: Sequence[float], length: float, *, log: bool) -> Callable[[float], float]:
    first, last = (math.log10(one) if log else one for one in (marks[0], marks[-1]))
    return lambda value: ((math.log10(value) if log else value) - first) / (last - first or 1) * length


def panel(
    label: str, x_label: str, lines: Mapping[str, Line], *, log: bool, show: Callable[[float], str] = short
) -> str:
    """Return one panel, drawn from its own upper left corner; the x axis has a tick at every point measured."""
    xs = sorted({x for line in lines.values() for x, _ in line})
    marks = ticks([y for line in lines.values() for _, y in line], log=log)
    along, up = _scale(xs, WIDTH - 20, log=log), _scale(marks, HEIGHT, log=log)
    drawn = [f'<text x="0" y="-10">{escape(label)}</text>']
    for y in marks:
        at = HEIGHT - up(y)
        drawn.append(f'<path class="grid" d="M0 {at:.1f}H{WIDTH}"/>')
        drawn.append(f'<text x="-6" y="{at + 4:.1f}" text-anchor="end">{short(y)}</text>')
    for x in xs:
        at = 10 + along(x)
        drawn.append(f'<path class="axis" d="M{at:.1f} {HEIGHT}v5"/>')
        drawn.append(f'<text x="{at:.1f}" y="{HEIGHT + 19}" text-anchor="middle">{show(x)}</text>')
    drawn.append(f'<path class="axis" d="M0 {HEIGHT}H{WIDTH}"/>')
    drawn.append(f'<text x="{WIDTH / 2}" y="{HEIGHT + 38}" text-anchor="middle">{escape(x_label)}</text>')
    for line, colour in zip(lines.values(), COLOURS, strict=False):
        points = [(10 + along(x), HEIGHT - up(y)) for x, y in line]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline class="line" stroke="{colour}" points="{joined}"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
    return "\n".join(drawn)


def page(title: str, legend: Sequence[str], panels: Sequence[str]) -> str:
    """Return a file of panels that have a legend in common."""
    width = STEP * len(panels) + 10
    named, x, row = [], 20, 0
    for name, colour in zip(legend, COLOURS, strict=False):
        length = 32 + 7 * len(name)
        if x + length > width:
            x, row = 20, row + 1
        y = 44 + ROW * row
        named.append(
            f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/><text x="{x + 9}" y="{y + 4}">{escape(name)}</text>'
        )
        x += length
    top = TOP + ROW * row
    height = top + HEIGHT + 48
    placed = [f'<g transform="translate({LEFT + STEP * at} {top})">\n{one}\n</g>' for at, one in enumerate(panels)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return "\n".join(
        [
            head,
            f"<title>{escape(title)}</title><style>{STYLE}</style>",
            '<rect class="paper" width="100%" height="100%" rx="6"/>',
            f'<text class="title" x="16" y="24">{escape(title)}</text>',
            *named,
            *placed,
            "</svg>\n",
        ]
    )
