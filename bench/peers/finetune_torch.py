"""Repeats the recipe of a finished finetune run in PyTorch on the same folds, to compare macro F1.

    finetune_torch.py RUN [--fold 0] [--threads 2] [--seed 0]

Reads RUN/config.toml and RUN/folds.csv: ResNet18 from random weights, images resized to image-size, random flips and
shifts, AdamW under a one-cycle schedule, the weights of the epoch with the lowest validation loss. Prints macro F1 on
the whole fold and on each of the run's subsets.
"""

import argparse
import csv
import fnmatch
import os
import time
import tomllib

import numpy
import torch
import torchvision
from PIL import Image
from sklearn.metrics import f1_score

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STDDEV = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def load(data, rows, size):
    images = torch.empty(len(rows), 3, size, size)
    for i, row in enumerate(rows):
        image = Image.open(os.path.join(data, row["path"])).convert("RGB")
        image = image.resize((size, size), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(numpy.array(image)).permute(2, 0, 1)
        images[i] = (pixels / 255 - MEAN) / STDDEV
    return images


def augment(images, generator):
    """Random horizontal flips and shifts by up to 1/16 of the side, filled with black."""
    size = images.shape[-1]
    black = ((0 - MEAN) / STDDEV).expand(3, size, size)
    result = torch.empty_like(images)
    for i, image in enumerate(images):
        if generator.random() < 0.5:
            image = image.flip(2)
        dx, dy = generator.integers(-(size // 16), size // 16 + 1, 2)
        moved = black.clone()
        moved[:, max(0, dy) : size + min(0, dy), max(0, dx) : size + min(0, dx)] = image[
            :, max(0, -dy) : size - max(0, dy), max(0, -dx) : size - max(0, dx)
        ]
        result[i] = moved
    return result.to(memory_format=torch.channels_last)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open(os.path.join(options.run, "config.toml"), "rb") as file:
        config = tomllib.load(file)
    with open(os.path.join(options.run, "folds.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {"model": "resnet18", "weights": "none", "optimizer": "adamw", "scheduler": "one-cycle"}
    for key, expected in wanted.items():
        if config[key] != expected:
            raise SystemExit(f"this script repeats runs with {key} = {expected}, not {config[key]}")

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    generator = numpy.random.default_rng(options.seed)
    classes = sorted({row["label"] for row in rows})
    size, batch = config["image-size"], config["batch-size"]
    train = [row for row in rows if int(row["fold"]) != options.fold]
    valid = [row for row in rows if int(row["fold"]) == options.fold]
    train_x, valid_x = load(config["data"], train, size), load(config["data"], valid, size)
    train_y = torch.tensor([classes.index(row["label"]) for row in train])
    valid_y = torch.tensor([classes.index(row["label"]) for row in valid])

    model = torchvision.models.resnet18(weights=None, num_classes=len(classes)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config["lr"], weight_decay=config["weight-decay"], fused=True)
    steps = (len(train) + batch - 1) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config["lr"], steps * config["epochs"], cycle_momentum=False)
    best, start = None, time.time()
    for epoch in range(config["epochs"]):
        model.train()
        order = torch.from_numpy(generator.permutation(len(train)))
        for chosen in order.split(batch):
            x = augment(train_x[chosen], generator) if config["augment"] == "light" else train_x[chosen]
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(x), train_y[chosen]).backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            logits = torch.cat([model(x.to(memory_format=torch.channels_last)) for x in valid_x.split(64)])
        loss = torch.nn.functional.cross_entropy(logits, valid_y).item()
        answers = logits.argmax(1)
        f1 = f1_score(valid_y, answers, average="macro", zero_division=0)
        print(f"epoch {epoch + 1}: val_loss {loss:.4f}, macro F1 {f1:.4f}, {time.time() - start:.0f} s", flush=True)
        if best is None or loss < best[0]:
            best = (loss, f1, answers, epoch + 1)
    loss, f1, answers, epoch = best
    print(f"best epoch {epoch}: macro F1 {f1:.4f} on {len(valid)} images")
    for glob in config.get("report-subset", []):
        chosen = [i for i, row in enumerate(valid) if fnmatch.fnmatch(os.path.basename(row["path"]), glob)]
        subset = f1_score(valid_y[chosen], answers[chosen], average="macro", zero_division=0)
        print(f"  {glob}: macro F1 {subset:.4f} on {len(chosen)} images")


if __name__ == "__main__":
    main()
