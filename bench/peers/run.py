"""Compares hanok with other systems: interleaved runs of the same workload on the same machine, reported as ratios.

    ./dev bench --peers [--pairs 15] [--work inference,train/full] [--model resnet18] [--device cuda]
    ./dev bench --peers --precision int16     hanok in integers; peers in f32, in bf16 and in int8

Each pair runs hanok and then each peer for some seconds and gives one ratio, so that other load on the machine affects
both. Writes bench-peers.md, bench-peers.json and bench-peers.svg (drawn by bench_chart) into --out.

In inference all engines have the same weights (--weights, else drawn ones) and images (--photographs, else noise), and
the error of their logits is measured: against PyTorch in double precision, over the logits' rms. bench-accuracy.json
and bench-accuracy.svg show it beside the speed. Networks in int8 are calibrated on these images by the peers' own means
(ONNX Runtime's static quantisation, NNCF for OpenVINO); they are shown, but are not among the best.
"""

import argparse
import dataclasses
import json
import math
import os
import platform
import re
import statistics
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TITLES = {"resnet18": "ResNet18", "resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2"}
# For "loader" the numbers are of its workers: 384x512 JPEG to augmented, normalised batches of 32, no network.
BATCHES = {
    "inference": [16, 1],
    "train/full": [32],
    "train/layer4": [32],
    "train/head": [32],
    "train/cached_features": [32],
    "loader": [1, 2],
}
CUDA_BATCHES = {"inference": [256, 16], "train/full": [256, 64]}
# A peer without a feature cache runs the whole step of the head.
PEER_WORK = {"train/cached_features": "train/head"}
PEERS = {"inference": ["torch", "onnxruntime", "openvino"]}  # training: torch alone
# Beside hanok in integers: its own f32; bf16, which torch can do, and OpenVINO does by itself where the CPU multiplies
# it; and int8.
MORE_PEERS = {
    "inference": ["hanok-f32", "torch-bf16", "openvino-bf16", "onnxruntime-int8", "openvino-int8"],
    "loader": [],
}
ENGINES = {"hanok": "hanok", "torch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
EVALUATED = 16  # images whose logits are compared


@dataclasses.dataclass
class Row:
    """One peer at one work, beside hanok."""

    model: str
    work: str
    batch: int
    peer: str
    theirs: list  # images/s of each pair
    ours: list
    settings: str
    error: float = math.nan  # of the peer's logits

    def ratios(self):
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]


class Peer:
    """A warm worker process."""

    def __init__(self, system, model, work, batch, options, cache):
        self.system = system
        worker = os.path.join(HERE, "worker.py")
        command = [sys.executable, worker, system, model, work, str(batch), str(options.threads)]
        environment = dict(
            os.environ,
            HANOK_PEERS_CACHE=cache,
            HANOK_BENCH_PHOTOS=photographs(cache),
            HANOK_BENCH_DEVICE=options.device,
            HANOK_BENCH_PRECISION=options.precision,
        )
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for line in self.process.stdout:  # libraries may print before it is ready
            if line.startswith("ready "):
                self.settings = line[6:].strip()
                return
        sys.exit(f"{' '.join(command)} failed:\n{self.process.stderr.read()[-2000:]}")

    def logits(self):
        """Of the images that all engines get."""
        self.process.stdin.write("logits\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def images_per_second(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class HanokPeer:
    """hanok itself in another precision."""

    def __init__(self, system, model, work, batch, options, cache):
        self.system, self.cache, self.model, self.work, self.batch = system, cache, model, work, batch
        self.options = argparse.Namespace(**{**vars(options), "precision": system.removeprefix("hanok-")})
        self.settings = f"hanok in {self.options.precision}"

    def images_per_second(self, seconds):
        return hanok_images_per_second(self.options, TITLES[self.model], self.work, self.batch, self.cache)

    def logits(self):
        return hanok_logits(self.options, self.model, self.batch, self.cache)

    def stop(self):
        pass


def photographs(cache):
    return os.path.join(cache, "photographs")


def hanok_images_per_second(options, title, work, batch, cache):
    program, name = "bench_resnet", f"{title}/{work}/batch:{batch}"
    if work == "loader":
        program, name = "bench_loader", f"Loader/light/workers:{batch}/real_time"
    device = ["--precision", options.precision] if options.device == "cpu" and work != "loader" else []
    if options.device != "cpu":
        precision = "tf32" if options.precision == "f32" else options.precision
        name, device = name + "/real_time", ["--device", options.device, "--precision", precision]
    output = subprocess.run(
        [
            os.path.join(options.programs, program),
            *device,
            f"--benchmark_filter=^{name}$",
            f"--benchmark_min_time={options.seconds}",
        ],
        check=True,
        capture_output=True,
        text=True,
        env=dict(os.environ, HANOK_BENCH_THREADS=str(options.threads), HANOK_BENCH_PHOTOS=photographs(cache)),
    ).stdout
    match = re.search(r"items_per_second=([0-9.]+)([kM]?)/?", output)
    if match is None:
        sys.exit(f"{program} printed no rate for {name}:\n{output}")
    return float(match[1]) * {"": 1, "k": 1e3, "M": 1e6}[match[2]]


def hanok_logits(options, model, batch, cache):
    out = os.path.join(cache, "logits.safetensors")
    subprocess.run(
        [os.path.join(options.programs, "bench_precision"), "outputs", "--model", model,
         "--weights", os.path.join(cache, f"{model}.pth"), "--inputs", os.path.join(cache, f"{model}-images.pth"),
         "--precision", options.precision, "--batch-size", str(batch), "--out", out],
        check=True, capture_output=True,
    )
    return read_safetensors(out)["logits"]


def read_safetensors(path):
    """Tensors of f32 as flat lists."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    header.pop("__metadata__", None)
    begin_and_end = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: list(struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
            for name, (begin, end) in begin_and_end.items()}


def error_over_rms(logits, right):
    """Root mean square of the difference over that of the right logits."""
    squares = sum(value * value for value in right)
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(logits, right, strict=True)) / squares)


def write_same_inputs(options, model, cache):
    """The weights and images that all engines get."""
    script = os.path.join(HERE, "same_inputs.py")
    subprocess.run([sys.executable, script, model, cache, options.weights or "", options.photographs or ""], check=True)


def percentiles(values):
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return at(0.1), statistics.median(ordered), at(0.9)


def is_peer_to_beat(system):
    """int8 loses accuracy and needs calibration: it is shown, not compared."""
    return not system.startswith("hanok") and not system.endswith("-int8")


def best_of(rows):
    """The fastest engine of each pair, among those that are to be beaten."""
    beaten = [row for row in rows if is_peer_to_beat(row.peer)]
    fastest = [max(rates) for rates in zip(*(row.theirs for row in beaten), strict=True)]
    first = beaten[0]
    return Row(first.model, first.work, first.batch, "best", fastest, first.ours,
               "in each pair the fastest of " + ", ".join(row.peer for row in beaten))


def run_work(options, model, work, batch, cache):
    """A row for each peer, then one for the best of them; and hanok's error."""
    hanok_images_per_second(options, TITLES[model], work, batch, cache)  # warm; draws the loader's photographs
    systems = PEERS.get(work, ["torch"]) if options.device == "cpu" else ["torch"]
    if options.precision == "int16":
        systems = systems + MORE_PEERS.get(work, ["hanok-f32", "torch-bf16"])
    with_logits = work == "inference"
    if with_logits:
        write_same_inputs(options, model, cache)
    peers = [HanokPeer(system, model, work, batch, options, cache) if system.startswith("hanok")
             else Peer(system, model, PEER_WORK.get(work, work), batch, options, cache) for system in systems]
    rates, hanok = {peer.system: [] for peer in peers}, []
    for pair in range(options.pairs):
        hanok.append(hanok_images_per_second(options, TITLES[model], work, batch, cache))
        for peer in peers:
            rates[peer.system].append(peer.images_per_second(options.seconds))
        shown = ", ".join(f"{system} {values[-1]:.1f}" for system, values in rates.items())
        counted = f"pair {pair + 1}/{options.pairs}"
        print(f"{model} {work} batch {batch}, {counted}: hanok {hanok[-1]:.1f}, {shown}", flush=True)
    rows = [Row(model, work, batch, peer.system, rates[peer.system], hanok, peer.settings) for peer in peers]
    hanok_error = math.nan
    if with_logits and options.device == "cpu":
        reference = Peer("torch-f64", model, work, batch, options, cache)
        right = reference.logits()
        reference.stop()
        hanok_error = error_over_rms(hanok_logits(options, model, batch, cache), right)
        for row, peer in zip(rows, peers, strict=True):
            row.error = error_over_rms(peer.logits(), right)
    for peer in peers:
        peer.stop()
    if sum(is_peer_to_beat(row.peer) for row in rows) > 1:
        rows.append(best_of(rows))
    return rows, hanok_error


def conditions(options):
    return (
        f"{options.pairs} interleaved pairs, {options.threads} threads, 224x224, {platform.machine()}, "
        f"on {options.device}, hanok in {options.precision}"
    )


def markdown(rows, options, hanok_errors):
    lines = [
        f"Images per second (median) and hanok's ratio to each peer; {conditions(options)}.",
        "",
        "| model | work | batch (workers) | peer | peer's images/s | hanok's | ratio: min | median (10-90%) | max "
        "| peer's error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratios = row.ratios()
        low, middle, high = percentiles(ratios)
        lines.append(
            f"| {row.model} | {row.work} | {row.batch} | {row.peer} "
            f"| {statistics.median(row.theirs):.1f} | {statistics.median(row.ours):.1f} "
            f"| {min(ratios):.2f} | {middle:.2f} ({low:.2f}-{high:.2f}) | {max(ratios):.2f} "
            f"| {'' if math.isnan(row.error) else f'{row.error:.1e}'} |"
        )
    if hanok_errors:
        lines += ["", f"Errors are of the logits of {EVALUATED} images against PyTorch in double precision, over their "
                  "rms. hanok's: "
                  + "; ".join(f"{model}, batch {batch}: {error:.1e}" for (model, batch), error in hanok_errors.items())]
    lines += ["", "Settings:", ""]
    lines += sorted({f"- {row.peer}: {row.settings}" for row in rows})
    return "\n".join(lines) + "\n"


def as_json(rows, options):
    """What bench_chart reads."""
    names = ("min", "low", "median", "high", "max")
    return json.dumps(
        {
            "conditions": f"Measured in {conditions(options)}.",
            "rows": [
                {
                    "model": row.model,
                    "work": row.work,
                    "batch": row.batch,
                    "peer": row.peer,
                    "peer_images_per_second": row.theirs,
                    "hanok_images_per_second": row.ours,
                    "ratio": dict(zip(names, (min(row.ratios()), *percentiles(row.ratios()), max(row.ratios())))),
                    "settings": row.settings,
                }
                for row in rows
            ],
        },
        indent=1,
    )


def accuracy_json(rows, options, hanok_errors):
    """Speed and error of every engine and precision: what bench_chart reads."""
    entries = []

    def add(model, batch, engine, precision, rates, error):
        entries.append({"model": model, "batch": batch, "engine": ENGINES[engine], "precision": precision,
                        "images_per_second": statistics.median(rates), "error": error})

    for (model, batch), error in hanok_errors.items():
        here = [row for row in rows if (row.model, row.work, row.batch) == (model, "inference", batch)]
        add(model, batch, "hanok", options.precision, here[0].ours, error)
        for row in here:
            engine, _, precision = row.peer.partition("-")
            if engine in ENGINES:
                add(model, batch, engine, precision or "f32", row.theirs, row.error)
    return json.dumps({"conditions": f"Measured in {conditions(options)}.", "accuracy": entries}, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", default="build/bin", help="folder of bench_resnet, bench_loader and bench_chart")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0, help="per system and pair")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="resnet18", help="comma-separated: " + ", ".join(TITLES))
    parser.add_argument("--work", help="comma-separated; default: all that the device supports")
    parser.add_argument("--device", default="cpu", help="cpu or cuda; on cuda torch is the peer")
    parser.add_argument("--precision", choices=["bf16", "f32", "int16"],
                        help="on cuda of both sides, bf16 (the default) or f32 with TF32; on the CPU of hanok, f32 "
                        "(the default) or int16, beside which peers also run in bf16 and int8")
    parser.add_argument("--weights", help="a file with the network's weights by torchvision's names")
    parser.add_argument("--photographs", help="a folder of photographs at any depth")
    parser.add_argument("--out", default=".")
    options = parser.parse_args()
    options.precision = options.precision or ("f32" if options.device == "cpu" else "bf16")
    if options.precision == ("bf16" if options.device == "cpu" else "int16"):
        parser.error(f"--precision {options.precision} is not for --device {options.device}")
    os.makedirs(options.out, exist_ok=True)
    batches = BATCHES if options.device == "cpu" else CUDA_BATCHES
    rows, hanok_errors = [], {}
    with tempfile.TemporaryDirectory() as cache:
        for model in options.model.split(","):
            for work in (options.work or ",".join(batches)).split(","):
                if work in ("train/layer4", "train/cached_features") and model == "mobilenet_v2":
                    continue  # has no such stage
                if work == "loader" and model != options.model.split(",")[0]:
                    continue  # knows no network
                for batch in batches[work]:
                    measured, error = run_work(options, model, work, batch, cache)
                    rows += measured
                    if not math.isnan(error):
                        hanok_errors[model, batch] = error
    table = markdown(rows, options, hanok_errors)
    print("\n" + table)
    with open(os.path.join(options.out, "bench-peers.md"), "w") as file:
        file.write(table)
    draw(options, "bench-peers", as_json(rows, options))
    if hanok_errors:
        draw(options, "bench-accuracy", accuracy_json(rows, options, hanok_errors))


def draw(options, name, figures):
    """Writes the figures, and the picture that bench_chart makes of them."""
    path = os.path.join(options.out, name)
    with open(path + ".json", "w") as file:
        file.write(figures)
    chart = os.path.join(options.programs, "bench_chart")
    subprocess.run([chart, path + ".json", path + ".svg"], check=True)


if __name__ == "__main__":
    main()
