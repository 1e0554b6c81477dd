"""Makes comparison.json: paired tests with the values of scipy and scikit-learn, and with published ones.

    python3 make_comparison_golden.py comparison.json          (Debian: python3-sklearn, python3-scipy)

McNemar's test by scipy's binomial and chi-squared distributions. DeLong's test by its definition: all pairs of cases,
numpy's covariances of the placements, areas by scikit-learn; for the mean of the classes' areas by the covariance
matrix of all areas. Where a test is undefined the file holds null.
"""
import json
import sys

import numpy as np
from scipy.stats import binomtest, chi2, norm
from sklearn.metrics import roc_auc_score

# Agresti (1990), Categorical Data Analysis, p. 350: approval of the president, as R's mcnemar.test gives it.
AGRESTI = {"base_only": 86, "other_only": 150, "statistic": 16.818, "p": 4.115e-05}

# Order of the 113 patients with subarachnoid haemorrhage of Turck et al. (2010), Intensive Care Medicine 36, by two
# markers, first the 41 with a poor outcome, then the 72 others; z, p and 95 % interval as the tests of the R package
# pROC 1.18 (Robin et al. 2011) have them for roc.test(wfns, s100b).
WFNS = ("32455552521254425552525245441442255225555111151221221112"
        "121134141551124112212122111121211324214115422111312244111")
S100B_POOR = [13, 9, 19, 12, 36, 42, 40, 3, 29, 7, 3, 34, 32, 39, 42, 24, 42, 42, 42, 3, 42, 26, 0, 7, 22, 42, 24, 42, 5,
              24, 13, 9, 11, 22, 42, 15, 42, 27, 42, 42, 36]
S100B_GOOD = [13, 15, 9, 1, 37, 21, 9, 9, 1, 5, 1, 7, 11, 3, 21, 3, 11, 13, 21, 1, 19, 15, 31, 7, 41, 37, 19, 3, 35, 37,
              11, 5, 7, 5, 1, 13, 9, 15, 17, 1, 1, 7, 1, 7, 5, 19, 7, 5, 29, 11, 25, 3, 9, 27, 3, 1, 23, 33, 9, 17, 5, 15,
              9, 3, 1, 21, 17, 37, 21, 17, 41, 39]
PROC = {"other": 0.823678861788618, "base": 0.731368563685637, "z": 2.20898359144091, "p": 0.0271757822291882,
        "low": 0.0104061769564846, "high": 0.174214419249478}


def mcnemar(base_only, other_only):
    discordant = base_only + other_only
    if discordant < 25:
        p = binomtest(base_only, discordant, 0.5).pvalue if discordant else 1.0
        return {"base_only": base_only, "other_only": other_only, "statistic": None, "p": p}
    statistic = max(0, abs(base_only - other_only) - 1) ** 2 / discordant
    return {"base_only": base_only, "other_only": other_only, "statistic": statistic, "p": chi2.sf(statistic, 1)}


def placements(scores, positive):
    """Of each case: the share of the cases of the other side that it is rightly ordered with, ties by half."""
    pairs = (scores[:, None] > scores[None, :]) + (scores[:, None] == scores[None, :]) / 2
    return np.where(positive, pairs[:, ~positive].mean(axis=1), pairs[positive, :].mean(axis=0))


def compared(base_area, other_area, variance):
    difference = other_area - base_area
    error = np.sqrt(variance)
    if error < 1e-15:
        z = 0.0 if abs(difference) < 1e-15 else None
    else:
        z = difference / error
    return {"base": base_area, "other": other_area, "difference": difference, "error": error, "z": z,
            "p": None if z is None else 2 * norm.sf(abs(z))}


UNDEFINED = {"base": None, "other": None, "difference": None, "error": None, "z": None, "p": None}


def delong(base, other, labels):
    classes = base.shape[1]
    tests, areas, shares = [], [], []
    for index in range(classes):
        positive = labels == index
        m, n = int(positive.sum()), int((~positive).sum())
        if m < 2 or n < 2:
            defined = m and n
            pair = [roc_auc_score(positive, table[:, index]) if defined else None for table in (base, other)]
            tests.append({**UNDEFINED, "base": pair[0], "other": pair[1],
                          "difference": pair[1] - pair[0] if defined else None})
            areas.append(pair)
            shares.append(None)
            continue
        v = [placements(table[:, index], positive) for table in (base, other)]
        covariance = np.cov(v[0][positive], v[1][positive]) / m + np.cov(v[0][~positive], v[1][~positive]) / n
        areas.append([roc_auc_score(positive, table[:, index]) for table in (base, other)])
        variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
        tests.append(compared(*areas[-1], max(0, variance) if variance > 1e-18 else 0.0))
        scale = np.where(positive, np.sqrt(m * (m - 1)), np.sqrt(n * (n - 1)))
        shares.append([(one - area) / scale for one, area in zip(v, areas[-1])])
    pairs = np.array([[np.nan if area is None else area for area in pair] for pair in areas])
    means = [None if np.isnan(mean) else mean for mean in pairs.mean(axis=0)]
    if None in shares:
        defined = None not in means
        tests.append({**UNDEFINED, "base": means[0], "other": means[1],
                      "difference": means[1] - means[0] if defined else None})
        return tests
    rows = np.array([one for pair in shares for one in pair])  # base and other of class 0, of class 1, ...
    matrix = rows @ rows.T
    contrast = np.tile([-1.0, 1.0], classes) / classes
    variance = contrast @ matrix @ contrast
    tests.append(compared(*means, max(0, variance) if variance > 1e-18 else 0.0))
    return tests


def draw(generator, labels, classes, decimals):
    logits = generator.normal(0, 1, (len(labels), classes))
    logits[np.arange(len(labels)), labels] += 1
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return np.round(probabilities, decimals)


def table(generator, number):
    classes = 2 + number % 5
    cases = int(generator.integers(2, 8)) if number % 8 == 6 else int(generator.integers(15, 40))
    labels = generator.integers(0, classes, cases)
    if number % 6 == 5:
        labels[labels == 0] = 1
    if number % 6 == 4:
        labels[labels == 0] = 1
        labels[0] = 0
    base = draw(generator, labels, classes, 1 + number % 3)
    other = draw(generator, labels, classes, 1 + number % 3)
    if number % 3 == 2:
        other = np.round(0.7 * base + 0.3 * other, 3)
    if number % 10 == 9:
        other = base
    right = [one.argmax(axis=1) == labels for one in (base, other)]
    return {"labels": labels.tolist(), "base": base.tolist(), "other": other.tolist(),
            "mcnemar": mcnemar(int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())),
            "delong": delong(base, other, labels)}


def holm(p):
    order = np.argsort(p, kind="stable")
    sorted_p = np.maximum.accumulate(np.minimum(1, np.array(p)[order] * np.arange(len(p), 0, -1)))
    adjusted = np.empty(len(p))
    adjusted[order] = sorted_p
    return {"p": list(p), "adjusted": adjusted.tolist()}


def main():
    generator = np.random.default_rng(20240602)
    wfns = [int(digit) for digit in WFNS]
    counts = [(0, 0), (1, 0), (0, 5), (3, 3), (12, 12), (20, 4), (4, 20), (13, 12), (25, 0), (40, 40), (30, 61), (9, 200),
              (1000, 1100)]
    golden = {
        "published": {"mcnemar": AGRESTI, "delong": PROC, "labels": [1] * 41 + [0] * 72,
                      "base": S100B_POOR + S100B_GOOD, "other": wfns},
        "mcnemar": [mcnemar(*pair) for pair in counts],
        "tables": [table(generator, number) for number in range(30)],
        "holm": [holm(np.round(generator.random(count) ** 3, 3).tolist()) for count in (1, 2, 5, 12)],
    }
    plain = lambda value: value.item()  # numpy's numbers
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, default=plain)}"
                                      for key, value in golden.items()) + "\n}\n")


main()
