"""Lower bounds of the time of each layer of ResNet18 on a GPU, computed from its data sheet, not measured.

    python3 bench/roofline_gpu.py [--gpu h100] [--batch 256] [--type bf16]

A kernel takes at least the larger of FLOP / peak and bytes / bandwidth. Bytes count each operand and each result once
per sweep of a training step (batch statistics need a convolution's whole output before any of it can be normalised, so
the output is read again). Launches, tails and gaps between kernels are not counted. README.md of this folder has the
table.
"""

import argparse

# Dense tensor-core FLOP/s by type and bytes/s: NVIDIA's data sheets.
GPUS = {
    "h100": ("H100 SXM5 80 GB", {"bf16": 989e12, "tf32": 495e12}, 3.35e12),
    "h200": ("H200 SXM 141 GB", {"bf16": 989e12, "tf32": 495e12}, 4.8e12),
    "a100": ("A100 SXM4 80 GB", {"bf16": 312e12, "tf32": 156e12}, 2.04e12),
}
# name, input channels, input side in pixels, output channels, kernel side, stride, count; the last of each block adds a
# residual
LAYERS = [
    ("stem 7x7/2", 3, 224, 64, 7, 2, 1),
    ("layer1 3x3", 64, 56, 64, 3, 1, 4),
    ("layer2 3x3/2", 64, 56, 128, 3, 2, 1),
    ("layer2 1x1/2", 64, 56, 128, 1, 2, 1),
    ("layer2 3x3", 128, 28, 128, 3, 1, 3),
    ("layer3 3x3/2", 128, 28, 256, 3, 2, 1),
    ("layer3 1x1/2", 128, 28, 256, 1, 2, 1),
    ("layer3 3x3", 256, 14, 256, 3, 1, 3),
    ("layer4 3x3/2", 256, 14, 512, 3, 2, 1),
    ("layer4 1x1/2", 256, 14, 512, 1, 2, 1),
    ("layer4 3x3", 512, 7, 512, 3, 1, 3),
]
PARAMETERS = 11.69e6


def sizes(layer, batch):
    """FLOP of one pass, and numbers of elements of x, w and y."""
    _, c, side, k, taps, stride, _ = layer
    out = (side + 2 * (taps // 2) - taps) // stride + 1
    y = batch * out * out * k
    return 2 * y * c * taps * taps, batch * side * side * c, k * c * taps * taps, y


def milliseconds(flop, byte_count, peak, bandwidth):
    return 1e3 * max(flop / peak, byte_count / bandwidth)


def rows(gpu, batch, kind):
    """Per layer: times, and (forward, backward data, backward weights, batch norm, all passes of inference) in ms for
    all its occurrences."""
    _, peaks, bandwidth = GPUS[gpu]
    peak, width = peaks[kind], 2 if kind == "bf16" else 4
    for layer in LAYERS:
        flop, x, w, y = sizes(layer, batch)
        count = layer[6]
        one = lambda work, elements: count * milliseconds(work, width * elements, peak, bandwidth)
        forward = one(flop, x + w + y)
        backward_data = one(flop, x + w + y) if layer[0][:4] != "stem" else 0.0  # images need no gradient
        backward_weights = one(flop, x + w + y)
        # Forward: read y, write z. Backward: read y, z's sign (a bit) and dz for the sums, the same again and write dy
        # for dx.
        batch_norm = one(0, 2 * y) + one(0, 5 * y)
        inference = one(flop, x + w + y)  # batch norm, ReLU and residual in the epilogue
        yield layer[0], count, flop * count, forward, backward_data, backward_weights, batch_norm, inference


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu", choices=GPUS, default="h100")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--type", choices=["bf16", "tf32"], default="bf16")
    options = parser.parse_args()
    title, peaks, bandwidth = GPUS[options.gpu]
    print(
        f"{title}, {options.type}: {peaks[options.type] / 1e12:.0f} TFLOP/s, "
        f"{bandwidth / 1e12:.2f} TB/s; a FLOP costs as much as "
        f"{bandwidth / peaks[options.type]:.4f} bytes; batch {options.batch}, 224x224. Milliseconds, at least:\n"
    )
    print("| layer | times | GFLOP a pass | forward | backward data | backward weights "
          "| batch norm, ReLU, both ways | inference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    total = [0.0] * 6
    for name, count, flop, *times in rows(options.gpu, options.batch, options.type):
        total = [a + b for a, b in zip(total, [flop, *times])]
        print(f"| {name} | {count} | {flop / 1e9:.0f} | " + " | ".join(f"{t:.3f}" for t in times) + " |")
    print(f"| all | 20 | {total[0] / 1e9:.0f} | " + " | ".join(f"{t:.3f}" for t in total[1:]) + " |")
    optimizer = 1e3 * 7 * 4 * PARAMETERS / bandwidth  # AdamW: read p, g, m, v; write p, m, v; f32
    step = sum(total[1:5]) + optimizer
    print(f"\nAdamW over {PARAMETERS / 1e6:.1f} million f32 parameters: {optimizer:.3f} ms.")
    print(f"A training step: at least {step:.2f} ms, at most {1e3 * options.batch / step:,.0f} images/s. ", end="")
    print(f"Inference: at least {total[5]:.2f} ms, at most {1e3 * options.batch / total[5]:,.0f} images/s.")


if __name__ == "__main__":
    main()
