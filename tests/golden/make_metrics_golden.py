"""Makes metrics.json: random labels and probabilities with the metrics that scikit-learn gives for them.

    python3 make_metrics_golden.py metrics.json          (Debian: python3-sklearn)

200 tables: two to six classes, few and many cases, tied probabilities, classes that are absent or never predicted, cases
that count several times or not at all (`weights`; scikit-learn is given such cases as often). Where this project says
"undefined" (report_metrics.h) the file holds null. What scikit-learn does not have is computed here by its definition:
specificity, the Brier score of several classes, the calibration error, the averaged ROC curve (the recipe of
scikit-learn's example plot_roc.py: roc_curve, numpy.interp, auc).
"""
import json
import sys
import warnings

import numpy as np
from sklearn.metrics import (accuracy_score, auc, balanced_accuracy_score, cohen_kappa_score, confusion_matrix, f1_score,
                             log_loss, matthews_corrcoef, precision_recall_fscore_support, precision_score, recall_score,
                             roc_auc_score, roc_curve)


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


def averaged_roc_area(labels, probabilities):
    curves = [roc_curve(labels == index, probabilities[:, index])[:2] for index in range(probabilities.shape[1])]
    rates = np.unique(np.concatenate([false for false, _ in curves]))
    return auc(rates, np.mean([np.interp(rates, false, true) for false, true in curves], axis=0))


def calibration_error(labels, probabilities, bins=15):
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.arange(bins + 1) / bins
    where = np.clip(np.digitize(top, edges, right=True) - 1, 0, bins - 1)  # ]lower, upper]
    return sum(abs(right[where == index].mean() - top[where == index].mean()) * (where == index).mean()
               for index in range(bins) if (where == index).any())


def table_metrics(labels, probabilities, per_class):
    """Everything of the whole table, by scikit-learn where it has it; None is undefined."""
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    complete = len(set(labels)) == classes
    one_truth, one_prediction = len(set(labels)) == 1, len(set(predicted)) == 1
    scores = {"labels": range(classes), "average": "macro", "zero_division": 0}
    agreement = None if one_truth and one_prediction and labels[0] == predicted[0] else cohen_kappa_score(labels, predicted)
    return {
        "accuracy": accuracy_score(labels, predicted),
        "macro_auc": macro(per_class, "auc"),
        "macro_f1": f1_score(labels, predicted, **scores) if complete else None,
        "balanced_accuracy": balanced_accuracy_score(labels, predicted) if complete else None,
        "averaged_roc_area": averaged_roc_area(labels, probabilities) if complete else None,
        "weighted_f1": f1_score(labels, predicted, labels=range(classes), average="weighted", zero_division=0),
        "macro_precision": precision_score(labels, predicted, **scores) if complete else None,
        "macro_recall": recall_score(labels, predicted, **scores) if complete else None,
        "macro_specificity": macro(per_class, "specificity"),
        "kappa": agreement,
        "mcc": None if one_truth else matthews_corrcoef(labels, predicted),
        "brier": ((probabilities - np.eye(classes)[labels]) ** 2).sum(axis=1).mean(),
        "ece": calibration_error(labels, probabilities),
        "log_loss": log_loss(labels, probabilities, labels=range(classes)),
    }


def golden(labels, probabilities, weights):
    """scikit-learn is given each case as often as its weight says."""
    classes = probabilities.shape[1]
    table = {"labels": labels.tolist(), "probabilities": probabilities.tolist()}
    if weights is not None:
        table["weights"] = weights.tolist()
        labels, probabilities = np.repeat(labels, weights), np.repeat(probabilities, weights, axis=0)
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=range(classes))
    per_class = [class_metrics(labels, predicted, probabilities, confusion, index) for index in range(classes)]
    table.update(table_metrics(labels, probabilities, per_class))
    table.update(confusion=confusion.tolist(), classes=per_class)
    return table


def main():
    warnings.simplefilter("ignore")  # rounded probabilities do not sum to 1; classes that are absent
    generator = np.random.default_rng(20240601)
    tables = []
    for number in range(200):
        classes = 2 + number % 5
        absent = [int(generator.integers(classes))] if number % 4 == 3 and classes > 2 else []
        cases = int(generator.integers(1, 8)) if number % 8 == 6 else int(generator.integers(15, 40))
        labels, probabilities = draw(generator, classes, cases, decimals=1 + number % 3, absent=absent)
        weights = generator.multinomial(cases, [1 / cases] * cases) if number % 3 == 2 else None
        tables.append(golden(labels, probabilities, weights))
    plain = lambda value: value.item()  # numpy's numbers
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(table, default=plain) for table in tables) + "\n]\n")


main()
