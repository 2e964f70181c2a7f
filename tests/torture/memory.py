"""Peak resident memory of whole processes against --memory, and runs under limits of the system."""

import os
import re
import shutil

from runs import SMALL, Broken

TOLERANCE = 1.1
RESNET = [*SMALL, "--model", "resnet18", "--epochs", "2", "--val-fraction", "0.3", "--batch-size", "28"]
# Sizes in MiB, by pixels of a side.
SIZES = {96: (256, 270, 290, 310, 350, 420, 650), 224: (300, 320, 350, 450, 600, 800)}
SHORT_SIZES = {96: (256, 420)}
ADDRESS_SPACE = {96: (440, 480, 540, 600, 700), 224: (500, 560, 620, 700, 900)}
SHORT_ADDRESS_SPACE = {96: (480,)}


def run_and_measure(torture, command, address_space=0):
    """The exit code, what was printed, and the highest resident memory in MiB."""
    text = torture.folder / "output"
    with open(text, "w", encoding="utf-8") as output:
        process = torture.start(command, address_space=address_space, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, text.read_text(encoding="utf-8", errors="replace"), usage.ru_maxrss / 1024


def did_not_fit(text):
    """Whether activations were recomputed, or batches divided."""
    return re.search(r"computed again in the backward pass|is computed in \d+ parts", text) is not None


def finetune(torture, pixels, out, *more):
    return ["finetune", "--data", torture.data, *RESNET, "--image-size", pixels, "--out", out, *more]


def train_in(torture, sizes, limit):
    """(attacks, of which memory was short): runs within `sizes` MiB by pixels come to their end.

    limit: "--memory", whose peak must stay within 10%, or "ulimit -v".
    """
    attacks = short = 0
    for pixels, of_these in sizes.items():
        for size in of_these:
            if torture.time_left() <= 0:
                return attacks, short
            out = torture.new_folder("memory")
            option = limit == "--memory"
            command = finetune(torture, pixels, out, *(["--memory", f"{size}M"] if option else []))
            code, text, peak = run_and_measure(torture, command, address_space=0 if option else size)
            attacks += 1
            short += did_not_fit(text)
            if option and peak > TOLERANCE * size:
                raise Broken(f"--memory {size}M at {pixels} pixels: the peak is {peak:.0f} MiB\n{text}")
            if code != 0:
                raise Broken(f"{limit} of {size} MiB at {pixels} pixels ends with {code}:\n{text}")
            shutil.rmtree(out)
    return attacks, short


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    yield ("the process stays within --memory", "ResNet18 under sizes down to the least",
           lambda: train_in(torture, SHORT_SIZES if short else SIZES, "--memory"))
    yield ("what does not fit is recomputed and split", "ResNet18 under limits of the address space",
           lambda: train_in(torture, SHORT_ADDRESS_SPACE if short else ADDRESS_SPACE, "ulimit -v"))
