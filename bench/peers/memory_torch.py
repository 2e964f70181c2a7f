"""Resident memory of a PyTorch training step, as bench_resnet's memory/train/full reports it for hanok.

    python3 bench/peers/memory_torch.py [--model resnet18] [--batch 32] [--threads 2]

"growth" is relative to the process after importing torch; the second figure is relative to the process with model
and batch.
"""

import argparse


def resident_megabytes(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024 / 1e6
    raise KeyError(key)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    import torch
    import torchvision

    torch.set_num_threads(options.threads)
    before = resident_megabytes("VmRSS")
    model = getattr(torchvision.models, options.model)(num_classes=18).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    images = torch.randn(options.batch, 3, 224, 224).to(memory_format=torch.channels_last)
    labels = torch.arange(options.batch) % 18
    made = resident_megabytes("VmRSS")
    for _ in range(3):
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    most = resident_megabytes("VmHWM")
    print(f"torch {torch.__version__}, {options.model}, batch {options.batch}: growth {most - before:.0f} MB, "
          f"over model and batch {most - made:.0f} MB")


if __name__ == "__main__":
    main()
