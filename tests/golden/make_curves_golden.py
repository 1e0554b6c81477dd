"""Makes curves.json: average precisions by scikit-learn and Wilson intervals by scipy.

    python3 make_curves_golden.py curves.json          (Debian: python3-sklearn, python3-scipy)

`precision_recall`: labels 0 or 1, scores (few digits make ties), points of the curve by descending score, average.
`wilson`: right, cases, low, high.
"""
import json
import sys

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, precision_recall_curve


def precision_recall(generator, cases, digits):
    labels = generator.integers(0, 2, cases)
    labels[0] = 1
    scores = np.round(np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1), digits)
    precision, recall, _ = precision_recall_curve(labels, scores)
    return {"labels": labels.tolist(), "scores": scores.tolist(), "average": average_precision_score(labels, scores),
            "precision": precision[-2::-1].tolist(), "recall": recall[-2::-1].tolist()}


def wilson(right, cases):
    interval = binomtest(right, cases).proportion_ci(method="wilson")
    return [right, cases, interval.low, interval.high]


def main():
    generator = np.random.default_rng(11)
    golden = {"precision_recall": [precision_recall(generator, cases, digits)
                                   for cases in (1, 2, 7, 30, 90) for digits in (1, 2, 6)],
              "wilson": [wilson(right, cases) for cases in (1, 4, 29, 500) for right in (0, 1, cases // 3, cases)]}
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(golden, file)
        file.write("\n")


main()
