"""Other numbers of threads and workers, threads that sleep at random, a busy machine: the same bits."""

import json
import os
import shutil
import subprocess
import sys

from runs import BASE, RECIPES, Broken, expect_same_end

THREADS = (1, 2, 3, 8)
WORKERS = (1, 2, 3, 4)
REPETITIONS = 20  # for each number of threads and each recipe
RESNET = [*BASE, "--model", "resnet18", "--epochs", "1", "--val-fraction", "0.3"]
MORE_RECIPES = {
    "resnet18": RESNET,
    "resnet18 in int16": [*RESNET, "--precision", "int16"],
}
TRIED = ["augmentation and mixup", "ema", "gradual unfreezing", "feature cache on disk", *MORE_RECIPES]
TRIED_IN_SHORT = ["augmentation and mixup", "resnet18 in int16"]


class Load:
    """Processes that keep every CPU busy, twice."""

    def __enter__(self):
        code = "while True: pass"
        self.processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2 * (os.cpu_count() or 1))]

    def __exit__(self, *ignored):
        for process in self.processes:
            process.kill()
            process.wait()


def with_options(command, **options):
    """The command with other values of some of its options."""
    changed = list(command)
    for name, value in options.items():
        changed[changed.index(f"--{name}") + 1] = str(value)
    return changed


def summary(run):
    whole = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return {key: whole[key] for key in ("weights_hash", "last_weights_hash", "macro_f1", "confusion_matrix")}


def predictions(torture, run, threads, workers, environment):
    """What predict writes for the run's own photographs."""
    out = torture.new_folder("answers")
    photographs = sorted(torture.data.rglob("*.jpg"))[:20]
    code, text = torture.run(["predict", "--checkpoint", run / "fold_0/best.safetensors", "--logits", "--out", out,
                              "--threads", threads, "--workers", workers, "--images", *photographs],
                             environment=environment)
    if code != 0:
        raise Broken(f"predict ends with {code}: {text}")
    answer = out.read_bytes()
    out.unlink()
    return answer


def repeat(torture, recipe, threads, repetitions):
    """(attacks, attacks): weights, metrics and predictions are those of one thread and one worker without delays."""
    unbroken, _ = torture.unbroken_run(recipe)
    expected = predictions(torture, unbroken, 1, 1, None)
    with Load():
        for number in range(repetitions):
            if torture.time_left() <= 0:
                return number, number
            workers = torture.random.choice(WORKERS)
            environment = {"HANOK_THREAD_DELAYS": str(torture.random.randrange(1 << 32))}
            out = torture.new_folder("delayed")
            command = with_options(torture.finetune(recipe, out), threads=threads, workers=workers)
            where = f"{environment} with {threads} threads and {workers} workers, \"{recipe}\""
            code, text = torture.run(command, environment=environment)
            if code != 0:
                raise Broken(f"{where}: exit code {code}: {text}")
            try:
                expect_same_end(unbroken, out)
            except Broken as broken:
                raise Broken(f"{where}: {broken}") from None
            if summary(unbroken) != summary(out):
                raise Broken(f"{where}: {out}/summary.json differs from {unbroken}/summary.json")
            if predictions(torture, out, threads, workers, environment) != expected:
                raise Broken(f"{where}: predict answers otherwise")
            shutil.rmtree(out)
    return repetitions, repetitions


def attacks(torture, short):
    """Yields (promise, fault, function that attacks)."""
    RECIPES.update(MORE_RECIPES)
    for recipe in TRIED_IN_SHORT if short else TRIED:
        for threads in THREADS:
            yield ("the same bits on any number of threads and workers",
                   f"{threads} threads that sleep at random, a busy machine: {recipe}",
                   lambda recipe=recipe, threads=threads: repeat(torture, recipe, threads,
                                                                 1 if short else REPETITIONS))
