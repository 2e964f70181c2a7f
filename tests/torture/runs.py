"""Small runs of finetune, what they leave, and whether two of them are the same bit by bit."""

import csv
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
import zlib
from pathlib import Path

SECONDS_AT_MOST = 120  # for any single program
TIMES = ("seconds", "images_per_second")  # columns of metrics.csv that differ from run to run
SMALL = ["--weights", "none", "--threads", "1", "--workers", "1"]
BASE = [*SMALL, "--image-size", "32", "--batch-size", "16"]
TIGHT = [*SMALL, "--image-size", "96", "--batch-size", "28", "--model", "resnet18", "--epochs", "2",
         "--val-fraction", "0.3"]
LENET = [*BASE, "--model", "lenet", "--epochs", "3"]
ONE_FOLD = [*LENET, "--val-fraction", "0.3"]
MOBILENET = [*BASE, "--model", "mobilenet_v3_small", "--epochs", "3", "--val-fraction", "0.3"]

RECIPES = {
    "folds": [*LENET, "--folds", "2"],
    "sampler": [*ONE_FOLD, "--sampler", "class-balanced"],
    "augmentation and mixup": [*ONE_FOLD, "--augment", "strong", "--mixup", "0.4"],
    "ema": [*ONE_FOLD, "--ema", "0.9"],
    "gradual unfreezing": [*MOBILENET, "--mode", "gradual"],
    "feature cache on disk": [*MOBILENET, "--mode", "feature-extraction", "--augment", "none",
                              "--cache-features", "yes", "--cache-budget", "0"],
    "repeats": [*LENET, "--folds", "2", "--repeats", "2"],
    "recomputed for want of memory": [*TIGHT, "--memory", "300M"],
    "split for want of memory": [*TIGHT, "--memory", "270M"],
    "a virtual batch": [*BASE, "--model", "mobilenet_v2", "--epochs", "2", "--val-fraction", "0.3",
                        "--accumulate", "2", "--virtual-batch"],
}


class Broken(Exception):
    """A promise that did not hold: the message says how, and how to repeat it."""


class Torture:
    """Where the programs are, the seed, and the time that is left."""

    def __init__(self, programs, preload, folder, seed):
        self.programs, self.preload, self.folder = Path(programs), preload, Path(folder)
        self.random = random.Random(seed)
        self.end = 0.0  # when the present attack must stop
        self.data = self.folder / "faces"
        self.unbroken = {}
        self.numbers = 0

    def preload_beside(self, name):
        """Another library to be preloaded, built into the same folder."""
        return Path(self.preload).with_name(name)

    def time_left(self):
        return self.end - time.monotonic()

    def new_folder(self, name):
        self.numbers += 1
        return self.folder / f"{name}-{self.numbers}"

    def start(self, command, environment=None, address_space=0, **arguments):
        def limit():
            if address_space:
                resource.setrlimit(resource.RLIMIT_AS, (address_space << 20, address_space << 20))

        whole = dict(os.environ, **(environment or {}))
        arguments = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **arguments}
        return subprocess.Popen([str(self.programs / command[0]), *map(str, command[1:])], env=whole,
                                preexec_fn=limit, text=True, errors="replace", **arguments)

    def run(self, command, **arguments):
        """The exit code and what was printed. Broken if the program hangs."""
        process = self.start(command, **arguments)
        try:
            text, _ = process.communicate(timeout=SECONDS_AT_MOST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Broken(f"hangs for {SECONDS_AT_MOST} s: {' '.join(map(str, command))}") from None
        return process.returncode, text or ""

    def make_data(self):
        if not self.data.exists():
            code, text = self.run(["finetune", "--write-synthetic", self.data, "--people", "6"])
            if code != 0:
                raise Broken(f"finetune --write-synthetic: {text}")

    def finetune(self, recipe, out):
        return ["finetune", "--data", self.data, *RECIPES[recipe], "--out", out]

    def unbroken_run(self, recipe):
        """Its folder and the seconds that it took."""
        if recipe not in self.unbroken:
            out = self.new_folder("unbroken")
            begin = time.monotonic()
            code, text = self.run(self.finetune(recipe, out))
            if code != 0:
                raise Broken(f"the unbroken run of \"{recipe}\" ends with {code}:\n{text}")
            self.unbroken[recipe] = out, time.monotonic() - begin
        return self.unbroken[recipe]

    def start_for_a_while(self, recipe, name, earliest=0.05):
        """A run's folder and its process, after a moment that is drawn from the time of an unbroken run."""
        _, seconds = self.unbroken_run(recipe)
        out = self.new_folder(name)
        process = self.start(self.finetune(recipe, out))
        time.sleep(self.random.uniform(earliest, max(earliest, seconds)))
        return out, process

    def expect_unbroken(self, recipe, out):
        """Nothing in the folder is half-written, and the run ends as the unbroken one; the folder is removed."""
        expect_whole_files(out)
        self.finish(recipe, out)
        shutil.rmtree(out)

    def finish(self, recipe, out):
        """Resumes the run, or starts it anew where nothing was begun, and compares its end."""
        return self.finish_beside(self.unbroken_run(recipe)[0], out, self.finetune(recipe, out))

    def finish_beside(self, unbroken, out, command):
        """The same for a run that this command starts, beside its unbroken one."""
        code, text = self.run(["finetune", "--resume", out])
        if code == 2 and not (out / "config.toml").exists():
            shutil.rmtree(out, ignore_errors=True)
            code, text = self.run(command)
        if code != 0:
            raise Broken(f"cannot be resumed, exit code {code}: {out}\n{text}")
        expect_same_end(unbroken, out)
        return text


def metrics(run):
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(file)]


def expect_same_end(unbroken, run):
    """The same weights, metrics (but for times) and predictions, bit by bit."""
    names = sorted(path.relative_to(unbroken) for path in unbroken.glob("fold_*/best.safetensors"))
    for name in [*names, Path("predictions.csv")]:
        if (unbroken / name).read_bytes() != (run / name).read_bytes():
            raise Broken(f"{run / name} differs from the unbroken run's {unbroken / name}")
    if metrics(unbroken) != metrics(run):
        raise Broken(f"{run}/metrics.csv differs from the unbroken run's, {unbroken}/metrics.csv")
    if list(run.rglob("*.tmp")):
        raise Broken(f"{run} keeps temporary files: {list(run.rglob('*.tmp'))}")


def expect_whole_files(folder):
    """No file under its final name is a part of one."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".tmp" or not path.is_file():
            continue
        content = path.read_bytes()
        if path.name == "metrics.csv" and not content:
            continue  # a resumed run whose checkpoint lies before the first epoch's end
        problem = ""
        if path.suffix == ".json":
            try:
                json.loads(content)
            except ValueError as error:
                problem = str(error)
        elif path.suffix == ".jsonl":
            try:
                [json.loads(line) for line in content.splitlines()]
            except ValueError as error:
                problem = str(error)
        elif path.suffix == ".csv":
            rows = list(csv.reader(content.decode("utf-8", "surrogateescape").splitlines()))
            if not content.endswith(b"\n") or len({len(row) for row in rows}) > 1:
                problem = "rows are missing or cut off"
        elif path.suffix == ".html" and not content.rstrip().endswith(b"</html>"):
            problem = "the page is cut off"
        elif path.suffix == ".safetensors" and not checksum_fits(content):
            problem = "its checksum does not fit"
        if problem:
            raise Broken(f"{path} is half-written: {problem}")


def checksum_fits(content):
    key = b'"hanok.crc32":"'
    at = content.find(key) + len(key)
    if at < len(key):
        return True  # carries none
    return b"%08x" % zlib.crc32(content[:at] + b"00000000" + content[at + 8:]) == content[at:at + 8]


def kill_after(process, seconds):
    """Waits so long, then kills the process if it still runs. True if it was killed."""
    try:
        process.communicate(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return True
