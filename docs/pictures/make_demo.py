#!/usr/bin/env python3
"""Draws demo.svg: what finetune printed in a run that was recorded.

    make_demo.py                      draws from demo/log.txt
    make_demo.py --record FINETUNE    runs that program with --demo first (minutes), and keeps what it
                                      printed as demo/log.txt and its results as demo/summary.json

How long something took, which depends on the machine, is neither kept nor drawn."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from svg import MONO, Picture, html

FOLDER = pathlib.Path(__file__).resolve().parent
LOG, SUMMARY, TARGET = FOLDER / "demo/log.txt", FOLDER / "demo/summary.json", FOLDER / "demo.svg"
COMMAND = "finetune --demo --out runs/demo"

# Lines of the log that are drawn, in its order; "..." stands for those between them.
DRAWN = [
    r"drawing \d+ people", r".*competition layout", r"fold \d+ +epoch", r"class +precision", r"mask male <30 +\d\.",
    r"mask male 30-59 +\d\.", r"mask male >=60 +\d\.", r"mask female <30 +\d\.", r"mask female 30-59 +\d\.",
    r"mask female >=60 +\d\.", r"fold +macro F1", r"\d+ +\d\.\d+ +\d\.\d+", r"mean +\d", r"macro F1 \d", r"run folder:"
]
GROUND, PLAIN, DIM, PROMPT, HEADING, BEST = "#1e2228", "#d7dae0", "#7f8896", "#98c379", "#61afef", "#e5c07b"


def without_times(line):
    """Images a second and seconds at the end of an epoch's line, and lines of progress, left out."""
    return re.sub(r"  +\d+ images/s +[\d.]+ s", "", line)


def without_timings(value):
    """A summary without times and speeds."""
    if isinstance(value, list):
        return [without_timings(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    timed = ("seconds", "images_per_second")
    return {key: without_timings(entry) for key, entry in value.items() if not key.endswith(timed)}


def record(program):
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run([pathlib.Path(program).resolve(), *COMMAND.split()[1:]], cwd=folder, check=True,
                             stdout=subprocess.PIPE, text=True)
        summary = json.loads((pathlib.Path(folder) / "runs/demo/summary.json").read_text())
    # The program prints absolute paths; the folder is of no interest.
    text = run.stdout.replace(str(pathlib.Path(folder).resolve()) + "/", "")
    lines = [line for line in text.split("\n") if not re.search(r"images/s, .* left$", line)]
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("\n".join(map(without_times, lines)))
    entries = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in without_timings(summary).items()]
    SUMMARY.write_text("{\n" + ",\n".join(entries) + "\n}\n")


def drawn_lines(log):
    lines, skipped = [], False
    for line in log.rstrip("\n").split("\n"):
        if any(re.match(pattern, line) for pattern in DRAWN):
            if skipped:
                lines.append("...")
            lines.append(line)
            skipped = False
        else:
            skipped = True
    return lines


def colour_of(line):
    if line == "...":
        return DIM
    if re.match(r"class|fold +macro", line):
        return HEADING
    if line.endswith("*") or line.startswith("macro F1"):
        return BEST
    return PLAIN


def draw(log):
    lines = drawn_lines(log)
    char, step, margin, bar = 7.8, 18, 18, 34
    width = 2 * margin + char * max(map(len, lines))
    picture = Picture(round(width), bar + 2 * margin + step * (len(lines) + 1), "A run of the demo", GROUND)
    for i, colour in enumerate(("#e06c75", "#e5c07b", "#98c379")):
        picture.add(f'<circle cx="{margin + 6 + 20 * i}" cy="{bar / 2 + 4}" r="6" fill="{colour}"/>')
    for i, line in enumerate(["$ " + COMMAND] + lines):
        colour = colour_of(line) if i else PROMPT
        y = bar + margin + step * (i + 0.6)
        picture.add(f'<text x="{margin}" y="{y:.0f}" font-family="{MONO}" font-size="13" fill="{colour}" '
                    f'textLength="{char * len(line):.0f}" xml:space="preserve">{html.escape(line)}</text>')
    return picture.render()


def main():
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2])
    TARGET.write_text(draw(LOG.read_text()))
    print(f"wrote {TARGET.name}")


main()
