"""Self-contained SVG that reads well on light and dark pages: few elements, no script, no font."""

import html
from collections.abc import Sequence
from pathlib import Path

Point = tuple[float, float]

# The picture brings its own background: whoever shows it may know another theme than the page.
_STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.small{font-size:11px;fill:#59636e}.title{font-size:14px;font-weight:600}
.page{fill:#fff}.grid{stroke:#d1d9e0;fill:none}.line{stroke-width:1.6;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.page{fill:#0d1117}
.grid{stroke:#3d444d}}
"""
DASHES = ("", "6 3", "2 3", "9 3 2 3")
_R = 3.6  # half the width of a mark
_MARKS = {
    "circle": f"m-{_R} 0a{_R} {_R} 0 1 0 {2 * _R} 0a{_R} {_R} 0 1 0 -{2 * _R} 0z",
    "square": f"m-{_R} -{_R}h{2 * _R}v{2 * _R}h-{2 * _R}z",
    "triangle": f"m0 -{_R}l{_R} {2 * _R}h-{2 * _R}z",
    "diamond": f"m0 -{_R + 1}l{_R + 1} {_R + 1}l-{_R + 1} {_R + 1}l-{_R + 1} -{_R + 1}z",
    "point down": f"m0 {_R}l{_R} -{2 * _R}h-{2 * _R}z",
    "plus": f"m-{_R} -1h{_R - 1}v-{_R - 1}h2v{_R - 1}h{_R - 1}v2h-{_R - 1}v{_R - 1}h-2v-{_R - 1}"
    f"h-{_R - 1}z",
    "bar": f"m-1.5 -{_R}h3v{2 * _R}h-3z",
}
MARKS = tuple(_MARKS)


class Drawing:
    """Elements in the order they are drawn; positions in pixels from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self._size = width, height
        self._looks: dict[str, str] = {}  # {CSS: its class}, as many curves look the same
        self._elements = [f'<rect class="page" width="{width:g}" height="{height:g}" rx="6"/>']

    def text(
        self, at: Point, words: str, anchor: str = "start", kind: str = "", turned: bool = False
    ) -> None:
        """A line of text; `turned` reads upwards."""
        x, y = at
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        look = f' class="{kind}"' if kind else ""
        place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        self._elements.append(f"<text {place}{look}{turn}>{html.escape(words)}</text>")

    def grid(self, lines: Sequence[tuple[Point, Point]]) -> None:
        """Thin lines in the background."""
        parts = [f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in lines]
        self._elements.append(f'<path class="grid" d="{"".join(parts)}"/>')

    def curve(self, points: Sequence[Point], colour: str, dash: str, mark: str) -> None:
        """A line through the points with a mark at each; a single point is its mark."""
        if len(points) > 1:
            through = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
            look = self._look(f"stroke:{colour};stroke-dasharray:{dash or 'none'}")
            self._elements.append(f'<path class="line {look}" d="M{through}"/>')
        marks = "".join(f"M{x:.1f} {y:.1f}{_MARKS[mark]}" for x, y in points)
        self._elements.append(f'<path class="{self._look(f"fill:{colour}")}" d="{marks}"/>')

    def _look(self, css: str) -> str:
        return self._looks.setdefault(css, f"c{len(self._looks)}")

    def write(self, path: Path) -> None:
        """To a file."""
        width, height = self._size
        head = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        body = "\n".join(self._elements)
        style = _STYLE + "".join(f".{name}{{{css}}}" for css, name in self._looks.items())
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" {head}>\n'
            f"<style>{style}</style>\n{body}\n</svg>\n"
        )
