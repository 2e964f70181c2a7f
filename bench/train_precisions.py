"""Does training in integers end where training in f32 does? The same runs in both, for several seeds.

    python3 bench/train_precisions.py OUT [--photographs DIR] [--seeds 5] [--precisions f32,int16]

Trains ResNet18 at 96 pixels on the drawn competition (block by block and all layers) and, with --photographs, on a
folder of photographs with a folder per class, and compares the macro F1 of photographs that were not trained on, seed
by seed. A finished run is not repeated, an interrupted one is resumed. Writes OUT/training.md, OUT/training.json and
OUT/training.html with the losses of both precisions side by side (drawn by bench_chart). --only-report trains nothing.
Needs nothing but Python and the programs of build/bin (--bin)."""
import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys

SMALL = "--image-size 96 --batch-size 32 --folds 5 --fold 0 --patience 0 --log-steps 1"
# What is trained: a title, the data, epochs, and options of finetune. From random weights all layers must be trained.
TASKS = {
    "photographs": ("photographs, all layers", "photographs", 4, "--weights none --mode finetune"),
    "competition": ("drawn competition, all layers", "competition", 8, "--weights none --mode finetune"),
    "gradual": ("drawn competition, block by block", "competition", 8, "--weights {start} --mode gradual"),
}
SMOOTHED = 10  # steps whose losses are averaged in the picture


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--photographs", type=pathlib.Path, help="a folder of photographs with a folder per class")
    parser.add_argument("--people", type=int, default=120, help="of the drawn competition, 7 photographs each")
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--precisions", default="f32,int16", help="the first is what the others are compared with")
    parser.add_argument("--recipe", default="--model resnet18",
                        help="further options of finetune; default: %(default)s")
    parser.add_argument("--epochs", type=int, help="of every task; default: 4 of photographs, else 8")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/bin"))
    parser.add_argument("--only-report", action="store_true", help="of the runs that are finished")
    return parser.parse_args()


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


class Experiment:
    def __init__(self, options):
        self.options = options
        self.precisions = options.precisions.split(",")
        self.tasks = options.tasks.split(",")
        unknown = [task for task in self.tasks if task not in TASKS]
        if unknown:
            sys.exit(f"--tasks: {', '.join(unknown)}: expected of {', '.join(TASKS)}")
        if not options.photographs:
            self.tasks = [task for task in self.tasks if TASKS[task][1] != "photographs"]

    def folder(self, task, seed, precision):
        return self.options.out / task / f"seed{seed}-{precision}"

    def data(self, name):
        if name == "photographs":
            return self.options.photographs
        drawn = self.options.out / "drawn"
        if not drawn.exists():
            run([self.options.bin / "finetune", "--write-synthetic", drawn, "--people", self.options.people])
        return drawn

    def start(self):
        """Trained weights to go on from: those of the first run of the first other task."""
        trained = [task for task in self.tasks if "{start}" not in TASKS[task][3]]
        if not trained:
            return "none"
        return self.folder(trained[0], 0, self.precisions[0]) / "fold_0" / "best.safetensors"

    def train(self, task, seed, precision):
        out = self.folder(task, seed, precision)
        if (out / "summary.json").exists():
            return
        finetune = self.options.bin / "finetune"
        if (out / "config.toml").exists():
            run([finetune, "--resume", out])
            return
        _, data, epochs, recipe = TASKS[task]
        run([finetune, "--data", self.data(data), "--out", out, "--seed", seed, "--precision", precision,
             "--threads", self.options.threads, "--epochs", self.options.epochs or epochs, *SMALL.split(),
             *self.options.recipe.split(), *recipe.format(start=self.start()).split()])

    def train_all(self):
        for task in self.tasks:
            for seed in range(self.options.seeds):
                for precision in self.precisions:
                    self.train(task, seed, precision)
                    score = self.score(task, seed, precision)
                    print(f"{TASKS[task][0]}, seed {seed}, {precision}: macro F1 {score:.4f}", flush=True)

    def score(self, task, seed, precision):
        """None where the run is not finished."""
        summary = self.folder(task, seed, precision) / "summary.json"
        return json.loads(summary.read_text())["macro_f1"] if summary.exists() else None

    def losses(self, task, seed, precision):
        with open(self.folder(task, seed, precision) / "fold_0" / "steps.csv", newline="") as file:
            return smoothed([float(row["loss"]) for row in csv.DictReader(file)])

    def finished_seeds(self, task):
        """Those that all precisions have."""
        return [seed for seed in range(self.options.seeds)
                if all(self.score(task, seed, precision) is not None for precision in self.precisions)]


def smoothed(losses):
    """Means of each SMOOTHED steps."""
    return [statistics.mean(losses[at:at + SMOOTHED]) for at in range(0, len(losses), SMOOTHED)]


def compare(first, second):
    """Of scores of the same seeds: means, standard deviations, and of the differences, seed by seed."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    deviation = lambda values: statistics.stdev(values) if len(values) > 1 else float("nan")
    return {
        "mean": [statistics.mean(first), statistics.mean(second)],
        "deviation": [deviation(first), deviation(second)],
        "difference": statistics.mean(differences),
        "difference_deviation": deviation(differences),
        "verdict": "" if len(first) < 2 else "yes" if abs(statistics.mean(differences)) < deviation(first) else "NO",
    }


def table(experiment):
    first, *others = experiment.precisions
    lines = [f"| runs | seeds | {first}: macro F1 (standard deviation) | precision | macro F1 "
             "| difference, seed by seed | differs less than seeds do |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    for task in experiment.tasks:
        seeds = experiment.finished_seeds(task)
        if not seeds:
            continue
        scores = {name: [experiment.score(task, seed, name) for seed in seeds] for name in experiment.precisions}
        for name in others:
            found = compare(scores[first], scores[name])
            lines.append(
                f"| {TASKS[task][0]} | {len(seeds)} | {found['mean'][0]:.4f} ({found['deviation'][0]:.4f}) | {name} "
                f"| {found['mean'][1]:.4f} ({found['deviation'][1]:.4f}) "
                f"| {found['difference']:+.4f} ({found['difference_deviation']:.4f}) "
                f"| {found['verdict']} |")
    return "\n".join(lines) + "\n"


def chart(experiment, task, seeds):
    """The losses by step: the mean over seeds, and a band from the least to the largest."""
    series = []
    for name in experiment.precisions:
        curves = [experiment.losses(task, seed, name) for seed in seeds]
        points = list(zip(*curves, strict=True))
        series.append({
            "name": name,
            "x": [(i + 0.5) * SMOOTHED for i in range(len(points))],
            "y": [statistics.mean(point) for point in points],
            "low": [min(point) for point in points],
            "high": [max(point) for point in points],
            "dashed": name != experiment.precisions[0],
        })
    return {"title": f"Loss of training: {TASKS[task][0]}", "x": "step", "series": series,
            "y": f"loss, mean of {SMOOTHED} steps; mean and range of {len(seeds)} seeds"}


def report(experiment):
    out = experiment.options.out
    text = table(experiment)
    print("\n" + text)
    (out / "training.md").write_text(text)
    charts = [chart(experiment, task, seeds)
              for task in experiment.tasks if (seeds := experiment.finished_seeds(task))]
    conditions = f"finetune {SMALL} {experiment.options.recipe}"
    (out / "training.json").write_text(json.dumps({"conditions": conditions, "lines": charts}, indent=1))
    run([experiment.options.bin / "bench_chart", out / "training.json", out / "training.html"])


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    experiment = Experiment(options)
    if not options.only_report:
        experiment.train_all()
    report(experiment)


if __name__ == "__main__":
    main()
