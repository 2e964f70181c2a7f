"""Makes the golden files of engine/ops and nn with PyTorch, torchvision and scikit-learn.

    python3 make_nn.py            writes nn_*.json beside this file
    python3 make_nn.py --verify   makes them again and compares; exit status 1 if any differs

See README.md for what the files hold.
"""

import json
import pathlib
import sys

import numpy as np
import sklearn
import torch
import torchvision
from sklearn import metrics

import formula
import nn_models
import nn_ops

HERE = pathlib.Path(__file__).resolve().parent
# Double-precision results of another version or CPU differ by rounding, which the ten training steps
# magnify most.
VERIFY_TOLERANCE = 1e-7


def optimizers():
    """A few steps of each optimiser on one tensor with formula gradients; its values after each step."""
    runs = {
        "sgd": ("SGD", {"lr": 0.1}),
        "sgd_momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
        "sgd_dampening_decay": ("SGD", {"lr": 0.05, "momentum": 0.5, "dampening": 0.25,
                                        "weight_decay": 0.01}),
        "sgd_nesterov_decay": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True,
                                       "weight_decay": 0.1}),
        "adam": ("Adam", {"lr": 0.01}),
        "adam_decay": ("Adam", {"lr": 0.01, "betas": [0.8, 0.95], "eps": 1e-6, "weight_decay": 0.1}),
        "adamw": ("AdamW", {"lr": 0.01, "weight_decay": 0.01}),
        "adamw_betas": ("AdamW", {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weight_decay": 0.5}),
    }
    start = nn_ops.spec([5, 7])
    steps = 5
    content = {"start": start, "steps": steps, "runs": {}}
    for name, (kind, options) in runs.items():
        parameter = torch.tensor(formula.tensor(f"optim/{name}/start", start["shape"], start["spread"],
                                                start["bits"])).requires_grad_()
        optimizer = getattr(torch.optim, kind)([parameter], **options)
        after = []
        for step in range(steps):
            gradient = formula.tensor(f"optim/{name}/gradient{step}", start["shape"], start["spread"],
                                      start["bits"])
            parameter.grad = torch.tensor(gradient)
            optimizer.step()
            after.append(formula.fingerprint(f"optim/{name}/after{step}", parameter.detach().numpy()))
        content["runs"][name] = {"kind": kind, "options": options, "after": after}
    return content


def schedules():
    """Learning rates that PyTorch's schedulers set, from step 0 on, for a base rate of 1."""

    def rates(make, count):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = make(optimizer)
        values = []
        for _ in range(count):
            values.append(formula.number(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            scheduler.step()
        return values

    lr = torch.optim.lr_scheduler
    content = {}
    for name, total, final, count in (("cosine", 10, 0.0, 11), ("cosine_floor", 7, 0.1, 8),
                                      ("cosine_beyond", 5, 0.01, 14)):
        content[name] = {"kind": "cosine", "total": total, "final": final,
                         "rates": rates(lambda o, t=total, f=final: lr.CosineAnnealingLR(o, t, f), count)}
    for name, total, warm, div, final_div in (("one_cycle", 20, 0.3, 25.0, 1e4),
                                              ("one_cycle_uneven", 17, 0.45, 10.0, 100.0),
                                              ("one_cycle_short", 5, 0.3, 25.0, 1e4)):
        content[name] = {"kind": "one_cycle", "total": total, "warm": warm, "div": div,
                         "final_div": final_div,
                         "rates": rates(lambda o, t=total, w=warm, d=div, f=final_div: lr.OneCycleLR(
                             o, 1.0, total_steps=t, pct_start=w, div_factor=d, final_div_factor=f,
                             cycle_momentum=False), total)}
    return {"runs": content}


def scores():
    """scikit-learn's scores of formula labels. `map` sends drawn labels to classes, so that some are absent."""
    runs = {
        "all_classes": (200, 6, list(range(6)), list(range(6))),
        "never_predicted": (120, 5, list(range(5)), [0, 1, 2, 3, 3]),
        "never_true": (120, 5, [0, 1, 1, 3, 4], list(range(5))),
        "absent": (120, 6, [0, 1, 1, 3, 4, 4], [0, 1, 3, 3, 4, 4]),
        "nothing_right": (40, 4, [0, 0, 1, 1], [2, 2, 3, 3]),
        "one_sample": (1, 3, [0, 1, 2], [0, 1, 2]),
        "eighteen": (500, 18, list(range(18)), list(range(18))),
    }
    content = {}
    for name, (count, classes, true_map, predicted_map) in runs.items():
        truth = np.array(true_map)[formula.integers(f"scores/{name}/truth", count, classes)]
        guess = np.array(predicted_map)[formula.integers(f"scores/{name}/guess", count, classes)]
        # Half of the guesses follow the truth, where the map allows, so that scores differ from chance.
        follow = formula.integers(f"scores/{name}/follow", count, 2) == 1
        guess = np.where(follow & np.isin(truth, predicted_map), truth, guess)
        labels = list(range(classes))
        options = {"zero_division": 0}
        precision, recall, f1, support = metrics.precision_recall_fscore_support(
            truth, guess, labels=labels, **options)
        content[name] = {
            "classes": classes, "count": count, "truth_map": true_map, "guess_map": predicted_map,
            "precision": [formula.number(v) for v in precision],
            "recall": [formula.number(v) for v in recall],
            "f1": [formula.number(v) for v in f1],
            "support": [int(v) for v in support],
            "confusion": metrics.confusion_matrix(truth, guess, labels=labels).tolist(),
            "accuracy": formula.number(metrics.accuracy_score(truth, guess)),
            "macro_f1": formula.number(metrics.f1_score(truth, guess, average="macro", **options)),
            "macro_precision": formula.number(
                metrics.precision_score(truth, guess, average="macro", **options)),
            "macro_recall": formula.number(
                metrics.recall_score(truth, guess, average="macro", **options)),
        }
    return {"runs": content}


def content_of(make):
    return {
        "format": formula.FORMAT,
        "made_by": "make_nn.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__,
                     "torch": torch.__version__, "torchvision": torchvision.__version__,
                     "scikit-learn": sklearn.__version__},
        **make,
    }


def files():
    yield from ((name, lambda m=make: {"cases": m()}) for name, make in nn_ops.FILES.items())
    yield from nn_models.FILES.items()
    yield "nn_optimizers.json", optimizers
    yield "nn_schedules.json", schedules
    yield "nn_scores.json", scores


def main():
    torch.set_num_threads(1)
    verify = "--verify" in sys.argv[1:]
    problems = []
    for name, make in files():
        content = json.loads(json.dumps(content_of(make())))
        if verify:
            old = json.loads((HERE / name).read_text(encoding="ascii"))
            found = len(problems)
            formula.compare(name, old, content, VERIFY_TOLERANCE, problems)
            print(f"{name}: {'same' if found == len(problems) else 'DIFFERS'}")
        else:
            formula.write(HERE / name, content)
            print(f"{name}: {(HERE / name).stat().st_size} bytes")
    for problem in problems[:50]:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
