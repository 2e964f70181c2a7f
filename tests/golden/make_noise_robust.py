"""Writes noise_robust.json: the losses of --noise-robust and their gradients, by PyTorch in double
precision from the papers' formulas.

    python tests/golden/make_noise_robust.py tests/golden/noise_robust.json
"""

import json
import sys

import torch

Q, BETA, SHARE = 0.7, 0.8, 0.3


def total(kind, logits, targets, weights, smoothing):
    """The sum of the losses; targets [N,C] are distributions."""
    classes = logits.shape[1]
    smooth = (1 - smoothing) * targets + smoothing / classes
    p = torch.softmax(logits, 1)
    if kind == "gce":
        return (weights * smooth * (1 - p**Q) / Q).sum()
    cross_entropy = -(weights * smooth * p.log()).sum(1)
    if kind == "bootstrap":
        entropy = -(p * p.log()).sum(1) * (weights * targets).sum(1)
        return (BETA * cross_entropy + (1 - BETA) * entropy).sum()
    unweighted = -(smooth * p.log()).sum(1)
    kept = unweighted.argsort()[: len(unweighted) - round(SHARE * len(unweighted))]
    return cross_entropy[kept].sum()


def main():
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    logits = (torch.randn(10, 4) * 2).float().double()
    labels = torch.randint(0, 4, (10,))
    soft = torch.softmax(torch.randn(10, 4), 1).float().double()
    class_weights = torch.tensor([0.5, 2.0, 1.0, 0.25])
    cases = []
    for kind in ["gce", "bootstrap", "trim"]:
        for weighted in [False, True]:
            for is_soft in [False, True]:
                for smoothing in [0.0, 0.2]:
                    x = logits.clone().requires_grad_()
                    targets = soft if is_soft else torch.nn.functional.one_hot(labels, 4).double()
                    weights = class_weights if weighted else torch.ones(4)
                    loss = total(kind, x, targets, weights, smoothing)
                    loss.backward()
                    cases.append({
                        "kind": kind, "weighted": weighted, "soft": is_soft,
                        "smoothing": smoothing, "loss": loss.item(),
                        "gradient": x.grad.flatten().tolist(),
                    })
    with open(sys.argv[1], "w") as file:
        json.dump({
            "format": 1, "q": Q, "beta": BETA, "share": SHARE,
            "logits": logits.flatten().tolist(), "labels": labels.tolist(),
            "soft": soft.flatten().tolist(), "class_weights": class_weights.tolist(),
            "cases": cases,
        }, file)
        file.write("\n")


main()
