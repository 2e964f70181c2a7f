#!/usr/bin/env python3
"""Draws what a terminal showed as an SVG picture: make_picture.py COMMAND < output.txt > picture.svg

Lines are kept as they are; `--skip A-B` leaves out lines A to B (from 1) and draws an ellipsis."""
import argparse
import html
import sys

CHAR_WIDTH, LINE_HEIGHT, MARGIN, BAR = 7.8, 18, 16, 28

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("command", help="the command line to show above the output")
parser.add_argument("--skip", action="append", default=[], help="A-B: lines to leave out")
arguments = parser.parse_args()

# A progress bar overwrites its line: what stood there last counts.
lines = [line.split("\r")[-1] for line in sys.stdin.read().rstrip("\n").split("\n")]
for first, last in sorted((tuple(map(int, span.split("-"))) for span in arguments.skip), reverse=True):
    lines[first - 1:last] = ["  ..."]
lines.insert(0, "$ " + arguments.command)

width = MARGIN * 2 + CHAR_WIDTH * max(map(len, lines))
height = BAR + MARGIN * 2 + LINE_HEIGHT * len(lines)
print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
      f'viewBox="0 0 {width:.0f} {height}">')
print(f'<rect width="100%" height="100%" rx="8" fill="#1e2228"/>')
for i, colour in enumerate(("#e06c75", "#e5c07b", "#98c379")):
    print(f'<circle cx="{MARGIN + 6 + 20 * i}" cy="{BAR / 2 + 4}" r="6" fill="{colour}"/>')
print('<g font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="13" '
      'xml:space="preserve">')
for i, line in enumerate(lines):
    y = BAR + MARGIN + LINE_HEIGHT * (i + 0.7)
    colour = "#98c379" if line.startswith("$ ") else "#61afef" if line.startswith("==>") else "#d7dae0"
    print(f'<text x="{MARGIN}" y="{y:.0f}" fill="{colour}" textLength="{CHAR_WIDTH * len(line):.0f}" '
          f'xml:space="preserve">{html.escape(line)}</text>' if line.strip() else "")
print("</g>\n</svg>")
