#!/usr/bin/env python3
"""Colours alone must not tell the classes of phantom cases apart.

usage: colour_shortcut.py DIR [LIMIT]: logistic regression on colour histograms of all three modalities (TEM: mean over
the bag), and on plain statistics (mean, standard deviation, entropy), cross-validated. Exit code 1 at LIMIT (0.55) or
above, 77 if scikit-learn is not installed.
"""
import csv
import os
import sys
import warnings

try:
    import numpy
    from PIL import Image
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

BINS = 16
STRENGTHS = (0.0003, 0.003, 0.03, 0.3, 3.0)  # C of the logistic regression


def histograms(channel):
    counts, _ = numpy.histogram(channel, bins=BINS, range=(0, 256))
    return counts / channel.size


def statistics(channel):
    share = numpy.bincount(channel.ravel(), minlength=256) / channel.size
    share = share[share > 0]
    return numpy.array([channel.mean(), channel.std(), -(share * numpy.log2(share)).sum()])


def image_features(path, describe):
    with Image.open(path) as image:
        pixels = numpy.asarray(image)
    channels = [pixels] if pixels.ndim == 2 else [pixels[..., c] for c in range(3)]
    return numpy.concatenate([describe(channel) for channel in channels])


def case_features(folder, rows, describe):
    """[modalities' features side by side]; the bag's is the mean over its images."""
    parts = []
    for modality in ("OM", "IM", "TEM"):
        files = [row["file"] for row in rows if row["modality"] == modality]
        parts.append(numpy.mean([image_features(os.path.join(folder, f), describe) for f in files], axis=0))
    return parts


def best_accuracy(features, labels):
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence: the strongest C may need more rounds
        return max(
            cross_val_score(
                make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300)), features, labels, cv=folds
            ).mean()
            for c in STRENGTHS
        )


def main():
    folder, limit = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.55
    cases = {}
    with open(os.path.join(folder, "truth.csv"), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            cases.setdefault(row["case_id"], []).append(row)
    labels = numpy.array([rows[0]["class"] for rows in cases.values()])
    failed = False
    for describe in (histograms, statistics):
        parts = [case_features(folder, rows, describe) for rows in cases.values()]
        for name, chosen in (("all", (0, 1, 2)), ("om", (0,)), ("im", (1,)), ("tem", (2,))):
            features = numpy.array([numpy.concatenate([case[i] for i in chosen]) for case in parts])
            accuracy = best_accuracy(features, labels)
            failed |= accuracy >= limit
            print(f"{describe.__name__} of {name}: accuracy {accuracy:.3f}", "TOO HIGH" if accuracy >= limit else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
