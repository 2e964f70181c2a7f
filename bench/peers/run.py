"""Compares hanok with other systems: interleaved runs of the same workload on the same machine, reported as ratios.

    ./dev bench --peers [--pairs 15] [--work inference,train/full] [--model resnet18] [--device cuda]
    ./dev bench --peers --precision int16     hanok in integers; peers in f32 and in bf16

Each pair runs hanok and then each peer for some seconds and gives one ratio, so that other load on the machine affects
both. Writes bench-peers.md, bench-peers.json and bench-peers.svg (drawn by bench_chart) into --out.
"""

import argparse
import json
import os
import platform
import re
import statistics
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
# What torch can do, and OpenVINO does by itself where the CPU multiplies bf16.
BF16_PEERS = {"inference": ["torch-bf16", "openvino-bf16"], "loader": []}


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

    def images_per_second(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


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


def percentiles(values):
    ordered = sorted(values)
    at = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return at(0.1), statistics.median(ordered), at(0.9)


def run_work(options, model, work, batch, cache):
    """Rows (model, work, batch, system, its images/s, hanok's, ratios, settings)."""
    hanok_images_per_second(options, TITLES[model], work, batch, cache)  # warm; draws the loader's photographs
    systems = PEERS.get(work, ["torch"]) if options.device == "cpu" else ["torch"]
    if options.precision == "int16":
        systems = systems + BF16_PEERS.get(work, ["torch-bf16"])
    peers = [Peer(system, model, PEER_WORK.get(work, work), batch, options, cache) for system in systems]
    rates, hanok = {peer.system: [] for peer in peers}, []
    for pair in range(options.pairs):
        hanok.append(hanok_images_per_second(options, TITLES[model], work, batch, cache))
        for peer in peers:
            rates[peer.system].append(peer.images_per_second(options.seconds))
        shown = ", ".join(f"{system} {values[-1]:.1f}" for system, values in rates.items())
        counted = f"pair {pair + 1}/{options.pairs}"
        print(f"{model} {work} batch {batch}, {counted}: hanok {hanok[-1]:.1f}, {shown}", flush=True)
    for peer in peers:
        peer.stop()
    return [
        (model, work, batch, peer.system, rates[peer.system], hanok,
         [ours / theirs for ours, theirs in zip(hanok, rates[peer.system])], peer.settings)
        for peer in peers
    ]


def conditions(options):
    return (
        f"{options.pairs} interleaved pairs, {options.threads} threads, 224x224, {platform.machine()}, "
        f"on {options.device}, hanok in {options.precision}"
    )


def markdown(rows, options):
    lines = [
        f"Images per second (median) and hanok's ratio to each peer; {conditions(options)}.",
        "",
        "| model | work | batch (workers) | peer | peer's images/s | hanok's | ratio: min | median (10-90%) | max |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for model, work, batch, system, theirs, ours, ratios, _ in rows:
        low, middle, high = percentiles(ratios)
        lines.append(
            f"| {model} | {work} | {batch} | {system} "
            f"| {statistics.median(theirs):.1f} | {statistics.median(ours):.1f} "
            f"| {min(ratios):.2f} | {middle:.2f} ({low:.2f}-{high:.2f}) | {max(ratios):.2f} |"
        )
    lines += ["", "Settings:", ""]
    lines += sorted({f"- {row[3]}: {row[7]}" for row in rows})
    return "\n".join(lines) + "\n"


def as_json(rows, options):
    """What bench_chart reads."""
    names = ("min", "low", "median", "high", "max")
    return json.dumps(
        {
            "conditions": f"Measured in {conditions(options)}.",
            "rows": [
                {
                    "model": model,
                    "work": work,
                    "batch": batch,
                    "peer": system,
                    "peer_images_per_second": theirs,
                    "hanok_images_per_second": ours,
                    "ratio": dict(zip(names, (min(ratios), *percentiles(ratios), max(ratios)))),
                    "settings": settings,
                }
                for model, work, batch, system, theirs, ours, ratios, settings in rows
            ],
        },
        indent=1,
    )


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
                        "(the default) or int16, beside which peers also run in bf16")
    parser.add_argument("--out", default=".")
    options = parser.parse_args()
    options.precision = options.precision or ("f32" if options.device == "cpu" else "bf16")
    if options.precision == ("bf16" if options.device == "cpu" else "int16"):
        parser.error(f"--precision {options.precision} is not for --device {options.device}")
    batches = BATCHES if options.device == "cpu" else CUDA_BATCHES
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for model in options.model.split(","):
            for work in (options.work or ",".join(batches)).split(","):
                if work in ("train/layer4", "train/cached_features") and model == "mobilenet_v2":
                    continue  # has no such stage
                if work == "loader" and model != options.model.split(",")[0]:
                    continue  # knows no network
                for batch in batches[work]:
                    rows += run_work(options, model, work, batch, cache)
    table = markdown(rows, options)
    print("\n" + table)
    with open(os.path.join(options.out, "bench-peers.md"), "w") as file:
        file.write(table)
    figures = os.path.join(options.out, "bench-peers.json")
    with open(figures, "w") as file:
        file.write(as_json(rows, options))
    chart = os.path.join(options.programs, "bench_chart")
    subprocess.run([chart, figures, os.path.join(options.out, "bench-peers.svg")], check=True)


if __name__ == "__main__":
    main()
