"""A long run: memory and open files stay flat."""

import json
import os
import shutil
import statistics
import subprocess

from runs import SMALL, Broken

LEAST_STEPS = 2000
MEBIBYTE = 1 << 20
ALLOWED_GROWTH = 1.02  # of resident memory, and a mebibyte
LOOK_EVERY = 0.01  # seconds
LEAST_LOOKS = 32


def sample(process):
    """(resident bytes, open files) of a process; None if it has ended."""
    try:
        with open(f"/proc/{process.pid}/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        return resident, len(os.listdir(f"/proc/{process.pid}/fd"))
    except (OSError, IndexError):
        return None


def long_run(torture, epochs):
    """(looks, 0): the last quarter of a run takes no more than the second; a fast machine makes more epochs."""
    while (samples := watched_run(torture, epochs)) < LEAST_LOOKS:
        epochs *= 2
    return samples, 0


def watched_run(torture, epochs):
    """Trains and watches; the number of looks. Too few of them show nothing: then it only trains."""
    out = torture.new_folder("long")
    output = torture.folder / "long-output"
    with open(output, "w", encoding="utf-8") as file:
        process = torture.start(["finetune", "--data", torture.data, *SMALL, "--image-size", "32", "--model", "lenet",
                                 "--batch-size", "2", "--epochs", epochs, "--patience", "0",
                                 "--val-fraction", "0.3", "--out", out],
                                stdout=file)
        samples = []
        while process.poll() is None:
            found = sample(process)
            if found is not None:
                samples.append(found)
            try:
                process.wait(LOOK_EVERY)
            except subprocess.TimeoutExpired:
                continue
    if process.returncode != 0:
        raise Broken(f"{epochs} epochs end with {process.returncode}: {output.read_text(encoding='utf-8')[-2000:]}")
    fold = json.loads((out / "summary.json").read_text())["folds"][0]
    if fold["epochs"] != epochs or (epochs >= 200 and fold["steps"] < LEAST_STEPS):
        raise Broken(f"only {fold['epochs']} epochs and {fold['steps']} steps")
    shutil.rmtree(out)
    if len(samples) < LEAST_LOOKS:
        return len(samples)
    quarter = len(samples) // 4
    for what, allowed in ((0, lambda early: early * ALLOWED_GROWTH + MEBIBYTE), (1, lambda early: early)):
        early = max(found[what] for found in samples[quarter:2 * quarter])
        late = statistics.median(found[what] for found in samples[3 * quarter:])  # the report comes last
        if late > allowed(early):
            name = ("resident bytes", "open files")[what]
            raise Broken(f"{name} grow from {early} to {late} in {epochs} epochs")
    return len(samples)


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    epochs = 40 if short else 200
    yield ("memory and open files of a long run stay flat", f"{epochs} epochs of 15 steps, looked at every 10 ms",
           lambda: long_run(torture, epochs))
