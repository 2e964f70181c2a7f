"""Makes apps_label_errors.json: confident learning by cleanlab on made-up probabilities.

    python3 make_label_errors.py            writes it
    python3 make_label_errors.py --verify   makes it again and compares"""
import json
import pathlib
import sys

import cleanlab
import numpy as np
from cleanlab.count import compute_confident_joint, get_confident_thresholds, num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

import formula


def case(name, images, classes, flips, sharpness, seed):
    """Probabilities that mostly agree with the true labels, and labels of which some are flipped."""
    random = np.random.RandomState(seed)
    share = np.arange(1, classes + 1) / np.arange(1, classes + 1).sum()  # imbalanced
    truth = np.concatenate([np.arange(classes), random.choice(classes, images - classes, p=share)])
    logits = random.randn(images, classes)
    logits[np.arange(images), truth] += sharpness
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = np.round(probabilities, 6).astype(np.float32).astype(np.float64)
    labels = truth.copy()
    for i in random.choice(np.arange(classes, images), flips, replace=False):
        labels[i] = (labels[i] + 1 + random.randint(classes - 1)) % classes
    counts = compute_confident_joint(labels, probabilities, calibrate=False)
    raw_row_sums = counts.sum(axis=1, keepdims=True)
    calibrated = counts / raw_row_sums * np.bincount(labels, minlength=classes)[:, None]
    rounded = compute_confident_joint(labels, probabilities, calibrate=True)
    assert np.abs(rounded - calibrated).max() <= 1  # cleanlab's is rounded to whole images
    return {
        "name": name,
        "classes": classes,
        "labels": labels.tolist(),
        "probabilities": [round(float(p), 6) for p in probabilities.ravel()],
        "thresholds": get_confident_thresholds(labels, probabilities).tolist(),
        "counts": counts.tolist(),
        "calibrated_rounded": rounded.tolist(),
        "errors": int(num_label_issues(labels, probabilities, estimation_method="off_diagonal")),
        "off_diagonal": np.flatnonzero(
            find_label_issues(labels, probabilities, filter_by="confident_learning")).tolist(),
        "self_confidence": get_label_quality_scores(labels, probabilities, method="self_confidence").tolist(),
        "normalised_margin": get_label_quality_scores(labels, probabilities, method="normalized_margin").tolist(),
    }


CASES = [
    case("three classes", 60, 3, 5, 3.0, 1),
    case("sure networks", 50, 2, 4, 6.0, 2),
    case("unsure networks", 60, 5, 6, 1.0, 3),
    case("no wrong label", 40, 4, 0, 8.0, 4),
]


def main():
    name = "apps_label_errors.json"
    path = pathlib.Path(__file__).parent / name
    content = {
        "format": 1,
        "made_by": "make_label_errors.py: confident learning by cleanlab",
        "versions": {"cleanlab": cleanlab.__version__, "numpy": np.__version__},
        "cases": CASES,
    }
    problems = []
    if "--verify" in sys.argv[1:]:
        formula.compare(name, json.loads(path.read_text()), content, 1e-6, problems)
    else:
        formula.write(path, content)
        print(f"{name}: {path.stat().st_size} bytes")
    print("\n".join(problems[:50]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
