"""How many planted label errors does `labels` find, and does --noise-robust help against them?

    python3 bench/planted_labels.py DIR               rankings of `labels`: recall and precision
    python3 bench/planted_labels.py DIR --losses      macro F1 on the true labels for each --noise-robust

DIR is a folder of photographs with a folder per class, or has the competition's layout (`finetune --write-synthetic
DIR`); its labels are taken for true. Each draw gives a share of them another class, trains by --recipe in five folds
that keep groups together, and counts. The programs are those of build/bin (--bin). Prints tables in Markdown; needs
nothing but Python and the ImageNet weights of mobilenet_v2 (./dev weights mobilenet_v2)."""
import argparse
import csv
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

SHARES = (0.03, 0.06, 0.10)
RANKINGS = ("self-confidence", "margin", "combined")
FEATURES = "--model mobilenet_v2 --image-size 96 --mode feature-extraction --augment none --epochs 8"
LOSSES = ("none", "gce", "bootstrap", "trim")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--losses", action="store_true", help="compare losses instead of rankings")
    parser.add_argument("--share", type=float, default=0.03, help="of the labels that are made wrong")
    parser.add_argument("--draws", type=int, default=5, help="sets of wrong labels")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each draw, averaged by labels")
    parser.add_argument("--recipe", default=FEATURES, help="options of finetune; default: %(default)s")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path("build/bin"))
    return parser.parse_args()


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def competition_classes(data):
    """A function from a path to its class: mask, sex and age where `data` has the competition's table."""
    table = data / "train" / "train.csv"
    if not table.exists():
        return lambda path: path.parts[0]
    people = {}
    for row in rows_of(table):
        age = int(row["age"])
        people[row["path"]] = f"{row['gender']} {'<30' if age < 30 else '30-59' if age < 60 else '>=60'}"
    masks = {"incorrect_mask": "incorrect", "normal": "normal"}
    return lambda path: f"{masks.get(path.stem, 'mask')} {people[path.parent.name]}"


class Experiment:
    def __init__(self, options, scratch):
        self.options, self.scratch, self.data = options, scratch, scratch / "data"
        shutil.copytree(options.data, self.data)
        groups = scratch / "groups.csv"
        run([options.bin / "inspect", "data", options.data, "--groups-out", groups])
        classes = competition_classes(options.data)
        self.samples = [(row["path"], classes(pathlib.PurePosixPath(row["path"])), row["group"])
                        for row in rows_of(groups)]
        self.classes = sorted({label for _, label, _ in self.samples})

    def plant(self, draw):
        """Writes labels.csv; returns the paths whose label is wrong."""
        dice = random.Random(draw)
        wrong = set(dice.sample(range(len(self.samples)), round(self.options.share * len(self.samples))))
        with open(self.data / "labels.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "label", "group"])
            for i, (path, label, group) in enumerate(self.samples):
                if i in wrong:
                    label = dice.choice([other for other in self.classes if other != label])
                writer.writerow([path, label, group])
        return {self.samples[i][0] for i in wrong}

    def train(self, name, seed, extra=()):
        out = self.scratch / name
        run([self.options.bin / "finetune", "--data", self.data / "labels.csv", *self.options.recipe.split(),
             "--patience", 0, "--seed", seed, "--out", out, *extra])
        return out

    def macro_f1(self, out):
        """Of the out-of-fold predictions against the true labels."""
        truth = {path: label for path, label, _ in self.samples}
        pairs = [(truth[row["path"]], row["prediction"]) for row in rows_of(out / "predictions.csv")]
        scores = []
        for name in self.classes:
            hits = sum(true == answer == name for true, answer in pairs)
            named = sum(true == name for true, _ in pairs) + sum(answer == name for _, answer in pairs)
            scores.append(2 * hits / named)
        return statistics.mean(scores)


def spread(values):
    deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.3f} ({deviation:.3f})"


def compare_rankings(experiment):
    options = experiment.options
    recalls = {ranking: {share: [] for share in SHARES} for ranking in RANKINGS}
    precisions = {ranking: {share: [] for share in SHARES} for ranking in RANKINGS}
    for draw in range(options.draws):
        wrong = experiment.plant(draw)
        runs = [experiment.train(f"draw{draw}-seed{seed}", seed) for seed in range(options.seeds)]
        for ranking in RANKINGS:
            table = experiment.scratch / "suspects.csv"
            run([options.bin / "labels", *runs, "--ranking", ranking, "--out", table,
                 *([] if ranking == "combined" else ["--neighbours", 0])])
            paths = [row["path"] for row in rows_of(table)]
            for share in SHARES:
                first = paths[:round(share * len(paths))]
                found = sum(path in wrong for path in first)
                recalls[ranking][share].append(found / len(wrong))
                precisions[ranking][share].append(found / len(first))
        print(f"draw {draw} is done", file=sys.stderr)
    print("| ranking | " + " | ".join(f"first {share:.0%}: recall, precision" for share in SHARES) + " |")
    print("| --- |" + " --- |" * len(SHARES))
    for ranking in RANKINGS:
        cells = [f"{spread(recalls[ranking][share])}, {statistics.mean(precisions[ranking][share]):.3f}"
                 for share in SHARES]
        print(f"| {ranking} | " + " | ".join(cells) + " |")


def compare_losses(experiment):
    scores = {loss: [] for loss in LOSSES}
    for draw in range(experiment.options.draws):
        experiment.plant(draw)
        for loss in LOSSES:
            out = experiment.train(f"draw{draw}-{loss}", draw, ["--noise-robust", loss])
            scores[loss].append(experiment.macro_f1(out))
        print(f"draw {draw} is done", file=sys.stderr)
    print(f"| {experiment.options.share:.0%} wrong | " + " | ".join(LOSSES) + " |")
    print("| --- |" + " --- |" * len(LOSSES))
    print("| macro F1 on true labels | " + " | ".join(spread(scores[loss]) for loss in LOSSES) + " |")


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        experiment = Experiment(options, pathlib.Path(scratch))
        print(f"{len(experiment.samples)} photographs, {options.share:.0%} wrong labels, {options.draws} draws: "
              "mean (standard deviation)\n")
        (compare_losses if options.losses else compare_rankings)(experiment)


if __name__ == "__main__":
    main()
