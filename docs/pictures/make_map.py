#!/usr/bin/env python3
"""Draws map.svg: the rooms, their folders, and which room includes from which.

    make_map.py            writes map.svg
    make_map.py --check    says whether map.svg is what it would write

Rooms, folders and arrows are read from the sources. An arrow that follows from others (apps includes
from engine, and reaches it by way of nn) is listed in the picture's metadata and not drawn."""
import pathlib
import re
import sys

from svg import CLAY, FAINT, INK, LEAF, SKY, TEAL, WOOD, Picture, text_width, tint

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
TARGET = FOLDER / "map.svg"

# What is in a room, where to start reading, its colour, and its place: the whole width, or the left or
# right part of it.
ROOMS = {
    "kernels": ("arithmetic on raw memory, and the seam to a device", "backend.h", WOOD, "full"),
    "engine": ("tensors, memory, gradients, differentiable ops", "ops.h", CLAY, "full"),
    "nn": ("modules, layers, models, optimisers", "module.h", TEAL, "left"),
    "weights": ("safetensors and .pth files, the catalogue", "load.cpp", SKY, "left"),
    "data": ("images, data sets, folds, the loader", "loader.h", LEAF, "right"),
    "apps": ("the programs, and the library behind them", "finetune/main.cpp", INK, "full"),
}
SOURCES = (".h", ".cpp", ".cu", ".cuh")


def sources(room):
    return sorted(path for path in (ROOT / room).rglob("*") if path.suffix in SOURCES)


def included_headers(room):
    """Headers of other rooms that a room's sources include, by room."""
    found = {}
    for path in sources(room):
        for name in re.findall(r'^\s*#\s*include\s*"hanok/([^"]+)"', path.read_text(), re.MULTILINE):
            other, _, header = name.partition("/")
            if other != room:
                found.setdefault(other, set()).add(header)
    return found


def folders(room):
    """Folders that hold sources, as paths below the room."""
    found = {path.parent.relative_to(ROOT / room).as_posix() for path in sources(room)}
    return sorted(found - {"."})


def is_program(room, folder):
    return (ROOT / room / folder / "main.cpp").exists()


def level(room, graph):
    """0 for a room that includes from no other, else one above the highest of those."""
    return 1 + max((level(other, graph) for other in graph[room]), default=-1)


def reaches(start, end, graph):
    return end in graph[start] or any(reaches(other, end, graph) for other in graph[start])


def chips(room):
    """One chip a folder: its name, and the names of the folders in it."""
    inner = {}
    for folder in folders(room):
        outer, _, rest = folder.partition("/")
        inner.setdefault(outer, [])
        if rest:
            inner[outer].append(rest)
    return inner


WIDTH, SIDE, GAP, TOP = 880, 20, 34, 20
LINE, CHIP = 26, 22


def chip_rows(room, width):
    """The room's chips in rows that fit into `width`; programs come last, in rows of their own."""
    rows, used = [[]], 0
    for name, inner in sorted(chips(room).items(), key=lambda chip: is_program(room, chip[0])):
        label = name + (": " + ", ".join(inner) if inner else "")
        if rows[-1] and is_program(room, name) != is_program(room, rows[-1][-1][0]):
            rows.append([])
            used = 0
        size = text_width(label, 11.5, mono=True) + 16
        if rows[-1] and used + size > width:
            rows.append([])
            used = 0
        rows[-1].append((label, size))
        used += size + 8
    return [row for row in rows if row]


def draw(graph):
    levels = {room: level(room, graph) for room in ROOMS}
    strip = 108  # tests and bench, at the right
    inside = WIDTH - 2 * SIDE - strip - GAP
    half = (inside - GAP) / 2
    place = {}
    y = TOP
    for row in sorted(set(levels.values()), reverse=True):
        heights = []
        for room in (name for name in ROOMS if levels[name] == row):
            side = ROOMS[room][3]
            width = inside if side == "full" else half
            x = SIDE + (inside - half if side == "right" else 0)
            rows = chip_rows(room, width - 28)
            height = 50 + (len(rows) * LINE + 6 if rows else 0)
            place[room] = [x, y, width, height, rows]
            heights.append(height)
        y += max(heights) + GAP
    bottom = y - GAP
    picture = Picture(WIDTH, bottom + 44, "The rooms of hanok and what they include")
    lines = [f"{a} -> {b}" for a in ROOMS for b in ROOMS if b in graph[a]]
    picture.add("<metadata>\n" + "\n".join(lines) + "\n</metadata>")
    for room, (x, top, width, height, rows) in place.items():
        purpose, start, colour, _ = ROOMS[room]
        picture.add(f'<g data-room="{room}" data-folders="{" ".join(folders(room))}">')
        picture.box(x, top, width, height, colour)
        picture.text(x + 14, top + 22, room, 16, colour, bold=True)
        picture.text(x + 14, top + 40, purpose, 12)
        picture.text(x + width - 14, top + 21, start, 11.5, FAINT, "end", mono=True)
        for i, row in enumerate(rows):
            chip_x = x + 14
            for label, size in row:
                chip_y = top + 50 + i * LINE
                fill = tint(colour, 0.3) if is_program(room, label) else "#ffffff"
                picture.box(chip_x, chip_y, size, CHIP, colour, fill=fill, radius=4)
                picture.text(chip_x + 8, chip_y + 15, label, 11.5, mono=True)
                chip_x += size + 8
        picture.add("</g>")
    for a in ROOMS:
        for b in sorted(graph[a]):
            if any(other != b and reaches(other, b, graph) for other in graph[a]):
                continue
            (xa, ya, wa, ha, _), (xb, yb, wb, _, _) = place[a], place[b]
            x = (max(xa, xb) + min(xa + wa, xb + wb)) / 2
            picture.arrow([(x, ya + ha + 2), (x, yb - 3)], extra=f' data-arrow="{a} {b}"', width=2)
            if len(graph[a][b]) == 1:
                picture.text(x + 12, (ya + ha + yb) / 2 + 4, f"{min(graph[a][b])} only", 11.5, FAINT, mono=True)
    x = WIDTH - SIDE - strip
    picture.box(x, TOP, strip, bottom - TOP, FAINT)
    picture.text(x + strip / 2, TOP + 30, "tests", 16, FAINT, "middle", bold=True)
    picture.text(x + strip / 2, TOP + 54, "bench", 16, FAINT, "middle", bold=True)
    picture.lines(x + strip / 2, TOP + 84, ["include", "from every", "room"], 12, anchor="middle")
    picture.text(SIDE, bottom + 28, "A room includes from those that its arrows lead to, never from one above. "
                 "At the right of a room: where to start reading.", 12, FAINT)
    return picture.render()


def main():
    for room, (_, start, *_) in ROOMS.items():
        if not (ROOT / room / start).exists():
            sys.exit(f"make_map.py: {room}/{start} is not there; name another file to start at")
    graph = {room: included_headers(room) for room in ROOMS}
    text = draw(graph)
    if "--check" in sys.argv[1:]:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET.relative_to(ROOT)} is stale: run docs/pictures/make_map.py")
        return
    TARGET.write_text(text)
    print(f"wrote {TARGET.relative_to(ROOT)}")


main()
