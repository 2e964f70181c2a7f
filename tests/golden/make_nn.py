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
import nn_layers
import nn_models
import nn_ops
import nn_ops_edges
import nn_ops_more

HERE = pathlib.Path(__file__).resolve().parent
# Double-precision results of another version or CPU differ by rounding, which ten training steps amplify.
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
        "rmsprop": ("RMSprop", {"lr": 0.01}),
        "rmsprop_momentum_decay": ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-4, "momentum": 0.5,
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
    simple = {
        "step": lambda o: lr.StepLR(o, 3, 0.5),
        "multi_step": lambda o: lr.MultiStepLR(o, [2, 5, 5, 9], 0.3),
        "exponential": lambda o: lr.ExponentialLR(o, 0.8),
        "cosine_restarts": lambda o: lr.CosineAnnealingWarmRestarts(o, 4, 1, 0.05),
        "cosine_restarts_growing": lambda o: lr.CosineAnnealingWarmRestarts(o, 2, 2, 0.0),
        "linear_warm_up": lambda o: lr.LinearLR(o, 0.25, 1.0, 4),
        "chained": lambda o: lr.ChainedScheduler([lr.LinearLR(o, 0.25, 1.0, 4),
                                                  lr.ExponentialLR(o, 0.9)]),
        "sequential": lambda o: lr.SequentialLR(
            o, [lr.LinearLR(o, 0.1, 1.0, 3), lr.CosineAnnealingLR(o, 5), lr.ExponentialLR(o, 0.5)],
            [3, 8]),
    }
    for name, make in simple.items():
        content[name] = {"kind": name, "rates": rates(make, 16)}
    return {"runs": content, "plateaus": plateaus()}


def plateaus():
    """Learning rates after each metric passed to ReduceLROnPlateau."""
    losses = [1.0, 0.9, 0.9, 0.89995, 0.91, 0.9, 0.9, 0.9, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    runs = {
        "loss": (losses, {"mode": "min", "factor": 0.5, "patience": 2, "threshold": 1e-3}),
        "cooldown": (losses, {"mode": "min", "factor": 0.5, "patience": 1, "cooldown": 2}),
        "floor": (losses, {"mode": "min", "factor": 0.1, "patience": 0, "min_lr": 0.005}),
        "score": ([1 - v for v in losses], {"mode": "max", "factor": 0.5, "patience": 1}),
    }
    content = {}
    for name, (figures, options) in runs.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        after = []
        for figure in figures:
            scheduler.step(figure)
            after.append(formula.number(optimizer.param_groups[0]["lr"]))
        content[name] = {"options": options, "figures": figures, "rates": after}
    return content


def gradients_and_averages():
    """Gradient clipping of two tensors, and an exponential moving average of one over four steps."""
    shapes = {"a": nn_ops.spec([4, 5]), "b": nn_ops.spec([7], 3.0)}
    content = {"gradients": shapes, "clipped": {}}
    for name, clip in (("norm", lambda p: torch.nn.utils.clip_grad_norm_(p, 2.5)),
                       ("norm_unreached", lambda p: torch.nn.utils.clip_grad_norm_(p, 1e3)),
                       ("value", lambda p: torch.nn.utils.clip_grad_value_(p, 0.75))):
        parameters = {}
        for key, s in shapes.items():
            values = formula.tensor(f"clip/{key}", s["shape"], s["spread"], s["bits"])
            parameters[key] = torch.zeros(s["shape"], dtype=torch.float64, requires_grad=True)
            parameters[key].grad = torch.tensor(values)
        norm = clip(list(parameters.values()))
        run = {key: formula.fingerprint(f"clip/{name}/{key}", p.grad.numpy())
               for key, p in parameters.items()}
        if norm is not None:
            run["norm"] = formula.number(norm.item())
        content["clipped"][name] = run
    model = torch.nn.Linear(5, 4).double()
    shape = nn_ops.spec([4, 5])

    def set_weight(step):
        values = formula.tensor(f"ema/{step}", shape["shape"], shape["spread"], shape["bits"])
        with torch.no_grad():
            model.weight.copy_(torch.tensor(values))

    set_weight(0)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9))
    average.update_parameters(model)  # the first only copies
    for step in range(1, 5):
        set_weight(step)
        average.update_parameters(model)
    content["ema"] = {"decay": 0.9, "steps": 4, "weight": shape, "average": formula.fingerprint(
        "ema/average", average.module.weight.detach().numpy())}
    return content


def scores():
    """scikit-learn's scores of formula labels. `map` maps drawn labels to classes, so that some classes are missing."""
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
        # Half of the predictions equal the truth, where the map allows it, so that scores differ from chance.
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
    yield from ((name, lambda m=make: {"cases": m()}) for name, make in
               (nn_ops.FILES | nn_ops_more.FILES | nn_ops_edges.FILES).items())
    yield from nn_layers.FILES.items()
    yield from nn_models.FILES.items()
    yield "nn_optimizers.json", optimizers
    yield "nn_schedules.json", schedules
    yield "nn_gradients.json", gradients_and_averages
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
