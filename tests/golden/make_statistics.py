"""Writes statistics.json: ROC AUC by scikit-learn, its interval by DeLong et al. (1988).

    python tests/golden/make_statistics.py tests/golden/statistics.json
"""

import json
import sys

import numpy as np
from sklearn.metrics import roc_auc_score


def delong_interval(scores, positive, z=1.959963984540054):
    """AUC -+ z standard errors (DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988)."""
    x, y = scores[positive], scores[~positive]
    psi = (x[:, None] > y[None, :]) + 0.5 * (x[:, None] == y[None, :])
    auc = psi.mean()
    variance = psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)
    return auc - z * variance**0.5, auc + z * variance**0.5


def main():
    random = np.random.default_rng(1)
    cases = []
    for count, shift, digits in [(200, 0.0, 2), (300, 0.8, 1), (400, 2.0, 2)]:
        positive = random.random(count) < 0.4
        scores = np.round(random.normal(size=count) + shift * positive, digits)
        low, high = delong_interval(scores, positive)
        cases.append({
            "scores": scores.tolist(),
            "positive": positive.astype(int).tolist(),
            "auc": float(roc_auc_score(positive, scores)),
            "delong": [float(low), float(high)],
        })
    with open(sys.argv[1], "w") as file:
        json.dump({"format": 1, "roc": cases}, file)
        file.write("\n")


main()
