"""Goldens of reports on runs: calibration by NumPy and scikit-learn, intervals of differences by SciPy.

    python3 make_run_report.py            writes run_report.json
    python3 make_run_report.py --verify   makes it again and compares
"""

import json
import os
import sys

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.calibration import calibration_curve

import formula

HERE = os.path.dirname(os.path.abspath(__file__))
BINS = 15


def calibration_case(name, answers):
    """`answers`: probabilities that a whole number of 1/1024 can hold, so that no text rounds them."""
    hashes = [int(h) for h in formula.hashes(name, 2 * answers)]
    units = np.array([h % 1025 for h in hashes[:answers]])
    probability = units / 1024
    # Right more seldom than the probability says.
    right = np.array([h % 1024 for h in hashes[answers:]]) < 0.8 * units
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, BINS - 1)
    ece, counts = 0.0, []
    for b in range(BINS):
        chosen = bins == b
        counts.append(int(chosen.sum()))
        if chosen.any():
            ece += chosen.mean() * abs(right[chosen].mean() - probability[chosen].mean())
    accuracy, confidence = calibration_curve(right, probability, n_bins=BINS)
    return {
        "name": name,
        "units": units.tolist(),
        "right": right.astype(int).tolist(),
        "ece": float(ece),
        "images": counts,
        "accuracy": accuracy.tolist(),
        "confidence": confidence.tolist(),
    }


def difference_case(a, b, tested_over_trained):
    """The corrected resampled t-test of Nadeau and Bengio (2003)."""
    differences = np.array(b) - np.array(a)
    folds = len(a)
    error = np.sqrt((1 / folds + tested_over_trained) * differences.var(ddof=1))
    low, high = stats.t.interval(0.95, folds - 1, loc=differences.mean(), scale=error)
    return {"a": a, "b": b, "tested_over_trained": tested_over_trained, "mean": float(differences.mean()),
            "low": float(low), "high": float(high)}


def make():
    return {
        "format": 1,
        "made_by": "make_run_report.py: NumPy, scikit-learn's calibration_curve, SciPy's t distribution",
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__},
        "calibration": [calibration_case("calibration", 300), calibration_case("few answers", 7)],
        "differences": [
            difference_case([0.81, 0.84, 0.79, 0.83, 0.80], [0.83, 0.85, 0.82, 0.84, 0.80], 0.25),
            difference_case([0.90, 0.80, 0.70], [0.80, 0.90, 0.75], 0.5),
            difference_case([0.61, 0.59], [0.70, 0.69], 1.0),
        ],
        "t_quantiles": [[n, float(stats.t.ppf(0.975, n))] for n in (1, 2, 4, 9, 29, 30, 31, 49, 100, 999)],
    }


def main():
    path = os.path.join(HERE, "run_report.json")
    content = make()
    problems = []
    if "--verify" in sys.argv[1:]:
        with open(path, encoding="ascii") as file:
            formula.compare("run_report.json", json.load(file), content, 1e-12, problems)
    else:
        formula.write(path, content)
        print(f"run_report.json: {os.path.getsize(path)} bytes")
    print("\n".join(problems[:50]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
