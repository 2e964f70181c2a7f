"""Shapes and texts of an SVG picture: what the scripts beside this file draw with.

A picture brings its own background, so that it can be read on a light and on a dark page."""
import html

SANS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
MONO = "DejaVu Sans Mono, Menlo, Consolas, monospace"
PAPER, INK, FAINT = "#fbf8f1", "#2b2a27", "#6f6a5f"
WOOD, CLAY, TEAL, LEAF, SKY = "#8a5a2b", "#b5533c", "#2f6f73", "#5b7f3b", "#3d6a9e"


def tint(colour, share=0.14):
    """The colour, thinned to `share` over PAPER."""
    mixed = (round(share * int(colour[i:i + 2], 16) + (1 - share) * int(PAPER[i:i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def text_width(text, size=13, mono=False):
    """About as many pixels as the text takes; a little more rather than less."""
    return len(text) * size * (0.602 if mono else 0.58)


class Picture:
    """Collects elements; y grows downwards, sizes are in pixels."""

    def __init__(self, width, height, title, background=PAPER):
        self.width, self.height = width, height
        self.elements = [
            f'<title>{html.escape(title)}</title>',
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" fill="{background}" '
            'stroke="#b9b3a4"/>'
        ]
        self.heads = set()

    def add(self, element):
        self.elements.append(element)

    def box(self, x, y, width, height, colour, fill=None, radius=6, extra=""):
        self.add(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius}" '
                 f'fill="{fill or tint(colour)}" stroke="{colour}"{extra}/>')

    def text(self, x, y, text, size=13, colour=INK, anchor="start", mono=False, bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self.add(f'<text x="{x:g}" y="{y:g}" font-family="{MONO if mono else SANS}" font-size="{size}" '
                 f'fill="{colour}" text-anchor="{anchor}"{weight} xml:space="preserve">{html.escape(text)}</text>')

    def lines(self, x, y, lines, size=13, colour=INK, anchor="start", mono=False, height=None):
        for i, line in enumerate(lines):
            self.text(x, y + i * (height or round(1.45 * size)), line, size, colour, anchor, mono)

    def arrow(self, points, colour=INK, dashed=False, extra="", width=1.6):
        """A line through points (x, y) with a head at the last one."""
        self.heads.add(colour)
        path = " ".join(f'{"L" if i else "M"}{x:g},{y:g}' for i, (x, y) in enumerate(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.add(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dash} '
                 f'marker-end="url(#head{colour[1:]})"{extra}/>')

    def render(self):
        heads = "".join(
            f'<marker id="head{colour[1:]}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0,1 L10,5 L0,9 z" fill="{colour}"/></marker>' for colour in sorted(self.heads))
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height:g}" '
            f'viewBox="0 0 {self.width:g} {self.height:g}">', f"<defs>{heads}</defs>", *self.elements, "</svg>", ""
        ])
