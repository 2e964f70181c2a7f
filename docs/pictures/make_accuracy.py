#!/usr/bin/env python3
"""Draws accuracy.svg: images/s against the error of the logits, for every precision of every engine, from
accuracy.json.

    make_accuracy.py                             draws
    make_accuracy.py --record bench-accuracy.json    keeps what ./dev bench --peers measured, and draws it"""
import json
import math
import pathlib
import shutil
import sys

from svg import CLAY, FAINT, INK, LEAF, SKY, WOOD, Picture, text_width

FOLDER = pathlib.Path(__file__).resolve().parent
FIGURES, TARGET = FOLDER / "accuracy.json", FOLDER / "accuracy.svg"
COLOURS = {"hanok": CLAY, "PyTorch": WOOD, "ONNX Runtime": LEAF, "OpenVINO": SKY}
WIDTH, HEIGHT = 800, 420
LEFT, TOP, RIGHT, BOTTOM = 90, 64, 770, 360


def axis_end(largest):
    """The next multiple of 50 with room for a label."""
    return 50 * math.ceil(1.1 * largest / 50)


def draw(entries, title):
    speeds = [entry["images_per_second"] for entry in entries]
    errors = [entry["error"] for entry in entries]
    low, high = math.floor(math.log10(min(errors))), math.ceil(math.log10(max(errors)))
    fastest = axis_end(max(speeds))
    x = lambda speed: LEFT + (RIGHT - LEFT) * speed / fastest
    y = lambda error: BOTTOM - (BOTTOM - TOP) * (math.log10(error) - low) / (high - low)
    picture = Picture(WIDTH, HEIGHT, title)
    picture.text(24, 30, title, 14, bold=True)
    at = 24
    for engine, colour in COLOURS.items():
        picture.box(at, 42, 12, 10, colour, colour, 2)
        picture.text(at + 18, 51, engine, 12)
        at += 36 + text_width(engine, 12)
    for power in range(low, high + 1):
        at = y(10**power)
        picture.add(f'<path d="M{LEFT},{at:g} H{RIGHT}" stroke="#d9d3c4"/>')
        picture.text(LEFT - 8, at + 4, f"1e{power}", 12, FAINT, "end")
    for speed in range(0, fastest + 1, 50):
        picture.text(x(speed), BOTTOM + 20, str(speed), 12, FAINT, "middle")
    picture.text((LEFT + RIGHT) / 2, BOTTOM + 42, "images/s (further right is faster)", 13, anchor="middle")
    picture.add(f'<g transform="translate(28 {(TOP + BOTTOM) / 2:g}) rotate(-90)">')
    picture.text(0, 0, "error over the logits' rms (lower is better)", 13, anchor="middle")
    picture.add("</g>")
    placed = []
    for entry in sorted(entries, key=lambda entry: -entry["images_per_second"]):
        colour, label = COLOURS[entry["engine"]], entry["precision"]
        at_x, at_y = x(entry["images_per_second"]), y(entry["error"])
        picture.add(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="{6 if entry["engine"] == "hanok" else 4.5}" '
                    f'fill="{colour}"><title>{entry["engine"]} {label}: {entry["images_per_second"]:.0f} images/s, '
                    f'error {entry["error"]:.1e}</title></circle>')
        # To the right, or above the points that are there already.
        near = any(abs(at_x + 9 - other_x) < text_width(label, 12) + 9 and abs(at_y - other_y) < 14
                   for other_x, other_y in placed)
        if near:
            picture.text(at_x, at_y - 9, label, 12, INK, "middle")
        else:
            picture.text(at_x + 9, at_y + 4, label, 12, INK, bold=entry["engine"] == "hanok")
        placed.append((at_x, at_y))
    return picture.render()


def main():
    if sys.argv[1:2] == ["--record"]:
        shutil.copy(sys.argv[2], FIGURES)
    entries = json.loads(FIGURES.read_text())["accuracy"]
    model, batch = entries[0]["model"], entries[0]["batch"]
    shown = [entry for entry in entries if (entry["model"], entry["batch"]) == (model, batch)]
    TARGET.write_text(draw(shown, f"Speed and error of inference: {model} at 224 pixels, batch {batch}"))


if __name__ == "__main__":
    main()
