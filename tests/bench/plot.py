"""Plots as SVG: bars in panels, and lines. Knows nothing but what report.py writes.

A picture has its own ground, which follows the reader's choice of light or dark, so that it can be read on any page.
"""

import math
from xml.sax.saxutils import escape

WIDTH = 760
LEFT, RIGHT = 130, 90  # of bars: room for names and for values
BAR, STEP, TITLE = 14, 21, 34  # heights
AXES_LEFT, AXES_TOP, AXES_BOTTOM, AXES_RIGHT, AXES_HEIGHT = 80, 70, 55, 30, 260
GRID = 5  # lines of a grid, about

STYLE = """
text { font: 13px sans-serif; fill: #24292f; }
.title { font-weight: bold; }
.faint { fill: #57606a; }
.ground { fill: #ffffff; stroke: #d0d7de; }
.grid { stroke: #d0d7de; }
.ours { fill: #0072b2; } .other { fill: #8c959f; } .beside { fill: none; stroke: #8c959f; }
.line { fill: none; stroke-width: 2; }
.s0 { stroke: #0072b2; } .s1 { stroke: #d55e00; } .s2 { stroke: #009e73; } .s3 { stroke: #cc79a7; } .s4 { stroke: #e69f00; }
.s5 { stroke: #8c959f; }
.dot { fill: #ffffff; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .faint { fill: #9da7b3; }
.ground { fill: #161b22; stroke: #30363d; } .grid { stroke: #30363d; } .dot { fill: #161b22; }
.ours { fill: #56b4e9; } .s0 { stroke: #56b4e9; }
}
"""
COLOURS = 6


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def picture(height, title, pieces):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {WIDTH} {height:.0f}" role="img">', f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6"/>', *pieces, "</svg>"
    ]) + "\n"


def figure(value):
    """VALUE with about three digits, and blanks between thousands."""
    digits = 0 if value >= 100 or value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    short = f"{value:,.{digits}f}".replace(",", " ")
    return short.rstrip("0").rstrip(".") if "." in short else short


def draw_panel(panel, top):
    """The pieces of one panel of bars, whose scale is its own and begins at nothing."""
    pieces = [text(16, top + 20, f"{panel['title']} ({panel['unit']})", "title")]
    most = max(panel["values"].values())
    for place, (name, value) in enumerate(panel["values"].items()):
        y = top + TITLE + place * STEP
        width = max(1, value / most * (WIDTH - LEFT - RIGHT))
        kind = "beside" if name.startswith("(") else "ours" if name == "hellod" else "other"
        pieces += [text(LEFT - 8, y + BAR - 2, name, "", "end"),
                   f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}"/>',
                   text(LEFT + width + 6, y + BAR - 2, figure(value), "faint")]
    return pieces


def draw_bars(plot):
    pieces, top = [], 8
    for panel in plot["panels"]:
        pieces += draw_panel(panel, top)
        top += TITLE + len(panel["values"]) * STEP + 14
    return picture(top, "; ".join(panel["title"] for panel in plot["panels"]), pieces)


def ticks(most):
    """Round numbers from nothing to at least MOST."""
    most = most or 1
    rough = most / GRID
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


class Axes:
    """Where a point of a plot of lines is in the picture."""

    def __init__(self, plot):
        self.plot, self.log = plot, math.log10 if plot["log_x"] else float
        values = [value for ys in plot["series"].values() for value in ys if value is not None]
        self.ticks = ticks(max(values))
        self.low, self.high = self.log(min(plot["x"])), self.log(max(plot["x"]))

    def x(self, value):
        part = (self.log(value) - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return AXES_LEFT + 10 + part * (WIDTH - AXES_LEFT - AXES_RIGHT - 20)

    def y(self, value):
        return AXES_TOP + AXES_HEIGHT * (1 - value / self.ticks[-1])

    def pieces(self):
        found = [text(16, 28, self.plot["title"], "title")]
        for value in self.ticks:
            found += [f'<line class="grid" x1="{AXES_LEFT}" x2="{WIDTH - AXES_RIGHT}" y1="{self.y(value):.1f}" '
                      f'y2="{self.y(value):.1f}"/>', text(AXES_LEFT - 8, self.y(value) + 4, figure(value), "faint", "end")]
        bottom = AXES_TOP + AXES_HEIGHT
        found += [text(self.x(value), bottom + 20, figure(value), "faint", "middle") for value in self.plot["x"]]
        found.append(text((AXES_LEFT + WIDTH - AXES_RIGHT) / 2, bottom + 42, self.plot["x_label"], "", "middle"))
        middle = AXES_TOP + AXES_HEIGHT / 2
        found.append(f'<g transform="rotate(-90 20 {middle:.1f})">{text(20, middle, self.plot["y_label"], "", "middle")}</g>')
        return found


def draw_series(axes, name, values, number, at):
    """A line, its dots, and its name in the row of names, which begins at AT."""
    kind = f"s{number % COLOURS}"
    points = [(axes.x(x), axes.y(y)) for x, y in zip(axes.plot["x"], values) if y is not None]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return [f'<polyline class="line {kind}" points="{path}"/>',
            *(f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points),
            f'<line class="line {kind}" x1="{at}" x2="{at + 24}" y1="48" y2="48"/>', text(at + 30, 52, name)]


def draw_lines(plot):
    axes = Axes(plot)
    pieces, at = axes.pieces(), AXES_LEFT
    for number, (name, values) in enumerate(plot["series"].items()):
        pieces += draw_series(axes, name, values, number, at)
        at += 56 + 8 * len(name)
    return picture(AXES_TOP + AXES_HEIGHT + AXES_BOTTOM, plot["title"], pieces)


def draw(plot):
    """The text of the SVG file for PLOT, as it is in the JSON file of a report."""
    return {"bars": draw_bars, "lines": draw_lines}[plot["kind"]](plot)
