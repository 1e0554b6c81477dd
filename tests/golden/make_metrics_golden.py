"""Makes metrics.json: random labels and probabilities with the metrics that scikit-learn gives for them.

    python3 make_metrics_golden.py metrics.json          (Debian: python3-sklearn)

Two to six classes, few and many cases, tied probabilities, classes that are absent or never predicted. Where this
project says "undefined" (a class without cases: everything but its specificity; a class with all cases: AUC and
specificity) the file holds null.
"""
import json
import sys

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support, roc_auc_score


def draw(generator, classes, cases, decimals, absent):
    """Labels and probabilities; few decimals make ties, absent classes have no case."""
    present = [index for index in range(classes) if index not in absent]
    labels = generator.choice(present, cases)
    logits = generator.normal(0, 1, (cases, classes))
    logits[np.arange(cases), labels] += 1
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return labels, np.round(probabilities, decimals)


def class_metrics(labels, predicted, probabilities, confusion, index):
    positive = labels == index
    support, negatives = int(positive.sum()), int((~positive).sum())
    precision, recall, f1, _ = precision_recall_fscore_support(
        positive, predicted == index, average="binary", pos_label=True, zero_division=0)
    false_positives = confusion[:, index].sum() - confusion[index, index]
    return {
        "precision": precision if support else None,
        "recall": recall if support else None,
        "specificity": (negatives - false_positives) / negatives if negatives else None,
        "f1": f1 if support else None,
        "auc": roc_auc_score(positive, probabilities[:, index]) if support and negatives else None,
    }


def macro(per_class, key):
    values = [one[key] for one in per_class]
    return None if None in values else float(np.mean(values))


def golden(labels, probabilities):
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=range(classes))
    per_class = [class_metrics(labels, predicted, probabilities, confusion, index) for index in range(classes)]
    return {
        "labels": labels.tolist(),
        "probabilities": probabilities.tolist(),
        "accuracy": accuracy_score(labels, predicted),
        "macro_auc": macro(per_class, "auc"),
        "macro_f1": macro(per_class, "f1"),
        "confusion": confusion.tolist(),
        "classes": per_class,
    }


def main():
    generator = np.random.default_rng(20240601)
    tables = []
    for number in range(40):
        classes = 2 + number % 5
        absent = [int(generator.integers(classes))] if number % 4 == 3 and classes > 2 else []
        cases = int(generator.integers(1, 8)) if number % 8 == 6 else int(generator.integers(15, 40))
        tables.append(golden(*draw(generator, classes, cases, decimals=1 + number % 3, absent=absent)))
    plain = lambda value: value.item()  # numpy's numbers
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(table, default=plain) for table in tables) + "\n]\n")


main()
