"""Self-contained SVG that reads well on light and dark pages: few elements, no script, no font."""

import html
from collections.abc import Sequence
from pathlib import Path

Point = tuple[float, float]

# For a file, and for a page that holds pictures. A file brings its own background: whoever shows
# it may know another theme than the page.
STYLE = """
svg text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
svg .small{font-size:11px;fill:#59636e}svg .title{font-size:14px;font-weight:600}
svg .page{fill:#fff}svg .grid{stroke:#d1d9e0;fill:none}svg .line{stroke-width:1.6;fill:none}
svg .thin{stroke-width:1;fill:none}
@media screen and (prefers-color-scheme:dark){svg text{fill:#e6edf3}svg .small{fill:#9198a1}
svg .page{fill:#0d1117}svg .grid{stroke:#3d444d}}
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
    """Elements in the order they are drawn; positions in pixels from the upper left corner.

    Drawings that one page holds need different names: their styles share the page.
    """

    def __init__(self, width: float, height: float, name: str = "c") -> None:
        self._size = width, height
        self._name = name
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
        self._elements.append(f'<path class="grid" d="{_segments(lines)}"/>')

    def lines(self, lines: Sequence[tuple[Point, Point]], colour: str) -> None:
        """Thin lines, as whiskers and pointers are."""
        look = self._look(f"stroke:{colour}")
        self._elements.append(f'<path class="thin {look}" d="{_segments(lines)}"/>')

    def curve(self, points: Sequence[Point], colour: str, dash: str, mark: str = "") -> None:
        """A line through the points with a mark at each; a single point is its mark."""
        if len(points) > 1:
            through = " ".join(f"{x:.1f} {y:.1f}" for x, y in points)
            look = self._look(f"stroke:{colour};stroke-dasharray:{dash or 'none'}")
            self._elements.append(f'<path class="line {look}" d="M{through}"/>')
        if mark:
            marks = "".join(f"M{x:.1f} {y:.1f}{_MARKS[mark]}" for x, y in points)
            self._elements.append(f'<path class="{self._look(f"fill:{colour}")}" d="{marks}"/>')

    def mark(
        self, at: Point, colour: str, mark: str, said: str = "", is_hollow: bool = False
    ) -> None:
        """A mark that tells more when pointed at."""
        edge = f"fill:none;pointer-events:all;stroke:{colour};stroke-width:1.6"
        look = self._look(edge if is_hollow else f"fill:{colour}")
        path = f'd="M{at[0]:.1f} {at[1]:.1f}{_MARKS[mark]}"'
        self._elements.append(f'<path class="{look}" {path}>{_title(said)}</path>')

    def bar(self, corner: Point, width: float, height: float, colour: str, said: str) -> None:
        """A filled box that tells more when pointed at."""
        place = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{width:.1f}" height="{height:.1f}"'
        look = self._look(f"fill:{colour}")
        self._elements.append(f'<rect class="{look}" {place}>{_title(said)}</rect>')

    def _look(self, css: str) -> str:
        return self._looks.setdefault(css, f"{self._name}{len(self._looks)}")

    def inline(self, label: str) -> str:
        """For a page that holds `STYLE`; the label is for those who cannot see it."""
        style = self._rules()
        named = f'role="img" aria-label="{html.escape(label)}"'
        return self._markup(f"{named} {self._box()}", style)

    def write(self, path: Path) -> None:
        """To a file."""
        width, height = self._size
        head = (
            f'xmlns="http://www.w3.org/2000/svg" {self._box()} width="{width:g}" '
            f'height="{height:g}"'
        )
        path.write_text(self._markup(head, STYLE + self._rules()) + "\n", "utf-8")

    def _box(self) -> str:
        return f'viewBox="0 0 {self._size[0]:g} {self._size[1]:g}"'

    def _rules(self) -> str:
        return "".join(f".{name}{{{css}}}" for css, name in self._looks.items())

    def _markup(self, head: str, style: str) -> str:
        body = "\n".join(self._elements)
        return f"<svg {head}>\n<style>{style}</style>\n{body}\n</svg>"


def _segments(lines: Sequence[tuple[Point, Point]]) -> str:
    return "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for (a, b), (c, d) in lines)


def _title(said: str) -> str:
    return f"<title>{html.escape(said)}</title>" if said else ""
