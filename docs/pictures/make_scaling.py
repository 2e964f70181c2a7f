#!/usr/bin/env python3
"""Draws scaling.svg: efficiency over ranks, computed by the model of docs/scaling.md, from scaling.json.

    make_scaling.py                          draws
    make_scaling.py --record scaling.json    keeps what bench_scaling wrote, and draws it"""
import json
import math
import pathlib
import shutil
import sys

from svg import CLAY, FAINT, INK, LEAF, SKY, WOOD, Picture, text_width

FOLDER = pathlib.Path(__file__).resolve().parent
FIGURES, TARGET = FOLDER / "scaling.json", FOLDER / "scaling.svg"
COLOURS = {"1 Gbit/s": WOOD, "10 Gbit/s": CLAY, "100 Gbit/s": SKY, "NVLink": LEAF}
MODELS = {"resnet18": "ResNet18", "resnet50": "ResNet50"}
LINKS = {"cpu": ("1 Gbit/s", "10 Gbit/s", "100 Gbit/s"), "h100": ("10 Gbit/s", "100 Gbit/s", "NVLink")}
WIDTH, PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP_X, GAP_Y = 800, 320, 190, 66, 144, 62, 84


def device_text(curve, threads):
    if curve["device"] == "cpu":
        return f"CPUs, {threads} threads a rank, measured"
    return "H100 GPUs at their data sheet's limits"


def line(picture, points, x, y, colour, dashed):
    path = " ".join(f'{"L" if i else "M"}{x(point["ranks"]):.1f},{y(point["efficiency"]):.1f}'
                    for i, point in enumerate(points))
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    picture.add(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')


def panel(picture, left, top, curves, threads):
    most = curves[0]["weak"][-1]["ranks"]
    x = lambda ranks: left + PANEL_WIDTH * math.log2(ranks) / math.log2(most)
    y = lambda efficiency: top + PANEL_HEIGHT * (1 - efficiency)
    picture.text(left, top - 26, MODELS[curves[0]["model"]], 14, bold=True)
    picture.text(left, top - 9, device_text(curves[0], threads), 12, FAINT)
    for share in (0, 20, 40, 60, 80, 100):
        at = y(share / 100)
        stroke = INK if share == 80 else "#d9d3c4"
        width = 0.6 if share == 80 else 1
        picture.add(f'<path d="M{left},{at:g} H{left + PANEL_WIDTH}" stroke="{stroke}" stroke-width="{width}"/>')
        picture.text(left - 8, at + 4, f"{share}%", 11, FAINT, "end")
    for power in range(0, int(math.log2(most)) + 1, 2):
        picture.text(x(2**power), top + PANEL_HEIGHT + 17, f"{2**power:,}", 11, FAINT, "middle")
    for curve in curves:
        if curve["link"] not in LINKS[curve["device"]]:
            continue
        line(picture, curve["weak"], x, y, COLOURS[curve["link"]], False)
        line(picture, curve["strong"], x, y, COLOURS[curve["link"]], True)


def legend(picture, curves):
    at = 24
    for link, colour in COLOURS.items():
        picture.box(at, 46, 12, 10, colour, colour, 2)
        picture.text(at + 18, 55, link, 12)
        at += 40 + text_width(link, 12)
    batches = {curve["device"]: curve["batch_size"] for curve in curves}
    at = 24
    for dashed, text in ((False, f'{batches["cpu"]} images for each rank (GPUs: {batches["h100"]})'),
                         (True, f'one batch of {curves[0]["shared"]:,} images shared out')):
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        picture.add(f'<path d="M{at:g},74 h26" stroke="{INK}" stroke-width="2"{dash}/>')
        picture.text(at + 34, 78, text, 12)
        at += 60 + text_width(text, 12)


def draw(record):
    title = "Efficiency by ranks: a model, run on no more than one machine"
    rows = len(LINKS)
    height = TOP + rows * (PANEL_HEIGHT + GAP_Y) - 20
    picture = Picture(WIDTH, height, title)
    picture.text(24, 30, title, 15, bold=True)
    curves = record["curves"]
    legend(picture, curves)
    threads = record["works"][0]["threads"]
    for row, device in enumerate(LINKS):
        for column, model in enumerate(MODELS):
            panel(picture, LEFT + column * (PANEL_WIDTH + GAP_X), TOP + row * (PANEL_HEIGHT + GAP_Y),
                  [curve for curve in curves if (curve["model"], curve["device"]) == (model, device)], threads)
    picture.text(LEFT + PANEL_WIDTH + GAP_X / 2, height - 14, "ranks", 13, anchor="middle")
    return picture.render()


def main():
    if sys.argv[1:2] == ["--record"]:
        shutil.copy(sys.argv[2], FIGURES)
    TARGET.write_text(draw(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
