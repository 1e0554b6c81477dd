"""Checks comparison.csv against the folds: report_compare_check.py OUT BASE OTHER...

Computes differences, McNemar's and DeLong's tests of every head anew from the predictions, by their definitions and
without any code of the project, and the intervals of the accuracies by a bootstrap of its own, which agrees only about.
Cases are matched by id and repeat. Prints what is wrong and exits 1.
"""
import csv
import json
import math
import os
import random
import sys

HEADS = {"fusion": "prob_", "om": "prob_om_", "im": "prob_im_", "tem": "prob_tem_"}
failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)


def close(text, expected, within=1e-9):
    if expected is None:
        return text == "undefined"
    return text not in ("", "undefined") and abs(float(text) - expected) <= within


def read(run):
    rows = {}
    for fold in sorted(os.listdir(run)):
        with open(os.path.join(run, fold, "run.json"), encoding="utf-8") as file:
            repeat = json.load(file)["repeat"]
        with open(os.path.join(run, fold, "predictions.csv"), encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                rows[row["case_id"], repeat] = row
    return rows


def mean_over_repeats(rows, keys, prefix, classes):
    sums = {}
    for case, repeat in keys:
        row = rows[case, repeat]
        entry = sums.setdefault(case, [row["label"], 0, [0.0] * len(classes)])
        entry[1] += 1
        entry[2] = [total + float(row[prefix + name]) for total, name in zip(entry[2], classes)]
    return {case: (label, [total / count for total in totals]) for case, (label, count, totals) in sums.items()}


def right(table, classes):
    return {case: classes[row.index(max(row))] == label for case, (label, row) in table.items()}


def mcnemar(base, other):
    b = sum(base[case] and not other[case] for case in base)
    c = sum(other[case] and not base[case] for case in base)
    if b + c < 25:
        tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
        return "mcnemar_exact", b, c, min(1, 2 * tail)
    return "mcnemar", b, c, math.erfc(math.sqrt(max(0, abs(b - c) - 1) ** 2 / (b + c) / 2))


def placements(table, index, name):
    positives = [(case, row[index]) for case, (label, row) in table.items() if label == name]
    negatives = [(case, row[index]) for case, (label, row) in table.items() if label != name]
    if len(positives) < 2 or len(negatives) < 2:
        return None
    order = lambda p, n: (p > n) + (p == n) / 2
    return ({case: sum(order(p, n) for _, n in negatives) / len(negatives) for case, p in positives},
            {case: sum(order(p, n) for _, p in positives) / len(positives) for case, n in negatives})


def variance(differences):
    mean = sum(differences) / len(differences)
    return sum((value - mean) ** 2 for value in differences) / (len(differences) - 1) / len(differences)


def delong(base, other, index, name):
    """Difference and p of one class's areas, or None."""
    pairs = [placements(table, index, name) for table in (base, other)]
    if None in pairs:
        return None
    areas = [sum(v[0].values()) / len(v[0]) for v in pairs]
    spread = sum(variance([pairs[1][side][case] - pairs[0][side][case] for case in pairs[0][side]]) for side in (0, 1))
    difference = areas[1] - areas[0]
    if spread < 1e-18:
        return difference, 1.0 if abs(difference) < 1e-12 else None
    return difference, math.erfc(abs(difference) / math.sqrt(2 * spread))


def bootstrap(base, other, keys, patients, classes, prefix, draws=1000):
    """Accuracy difference over draws of patients: the 2.5 and 97.5 % quantiles."""
    gain = {}
    for key in keys:
        hits = [max(classes, key=lambda name: float(rows[key][prefix + name])) == rows[key]["label"]
                for rows in (base, other)]
        entry = gain.setdefault(patients[key], [0, 0])
        entry[0] += hits[1] - hits[0]
        entry[1] += 1
    generator, values = random.Random(1), []
    entries = list(gain.values())
    for _ in range(draws):
        drawn = generator.choices(entries, k=len(entries))
        values.append(sum(entry[0] for entry in drawn) / sum(entry[1] for entry in drawn))
    values.sort()
    return values[round(0.025 * (draws - 1))], values[round(0.975 * (draws - 1))]


def holm(tests):
    """Of {key: p}: {key: adjusted p}."""
    adjusted, largest = {}, 0
    for rank, key in enumerate(sorted(tests, key=lambda key: tests[key])):
        largest = max(largest, min(1, (len(tests) - rank) * tests[key]))
        adjusted[key] = largest
    return adjusted


def check_head(rows, runs, head, classes, keys):
    names = list(runs)
    tables = {name: mean_over_repeats(runs[name], keys, HEADS[head], classes) for name in names}
    hits = {name: right(tables[name], classes) for name in names}
    pairs = {(a, b): mcnemar(hits[a], hits[b]) for i, a in enumerate(names) for b in names[i + 1:]}
    corrected = holm({pair: test[3] for pair, test in pairs.items()})
    for (a, b), (kind, only_a, only_b, p) in pairs.items():
        row = rows[head, "", "accuracy", a, b]
        where = f"{head}, {a}, {b}: {row}"
        expect(row["test"] == kind and (row["base_only"], row["other_only"]) == (str(only_a), str(only_b)), where)
        expect(close(row["p"], p) and close(row["p_holm"], corrected[a, b]), f"p of {where}")
    base, areas = names[0], {}
    for other in names[1:]:
        patients = {key: runs[base][key]["patient_id"] for key in keys}
        low, high = bootstrap(runs[base], runs[other], keys, patients, classes, HEADS[head])
        row = rows[head, "", "accuracy", base, other]
        width = max(float(row["high"]) - float(row["low"]), 0.005)
        expect(close(row["low"], low, 0.15 * width) and close(row["high"], high, 0.15 * width),
               f"interval {low} {high} of {row}")
        for index, name in enumerate(classes):
            test = delong(tables[base], tables[other], index, name)
            row = rows[head, name, "auc", base, other]
            expect(close(row["p"], test[1] if test else None), f"DeLong {test}: {row}")
            if test and test[1] is not None:
                areas[name, other] = test[1]
            if len(keys) == len(tables[base]) and test:
                expect(close(row["difference"], test[0]), f"difference of areas {test}: {row}")
    for (name, other), p in holm(areas).items():
        expect(close(rows[head, name, "auc", base, other]["p_holm"], p), f"Holm's p {p} of {head}, {name}, {other}")


def main():
    out, paths = sys.argv[1], sys.argv[2:]
    runs = {os.path.basename(path): read(path) for path in paths}
    keys = sorted(set.intersection(*(set(rows) for rows in runs.values())))
    header = list(next(iter(next(iter(runs.values())).values())))
    with open(os.path.join(out, "comparison.csv"), encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    rows = {(row["head"], row["class"], row["metric"], row["base"], row["other"]): row for row in table}
    expect(len(rows) == len(table), "a row is there twice")
    labels = [name for name in header if name.startswith("prob_")]
    classes = [name[len("prob_"):] for name in labels[:len(labels) // len({row["head"] for row in table})]]
    for row in table:
        if row["base_value"]:
            known = "undefined" not in (row["base_value"], row["other_value"])
            expected = float(row["other_value"]) - float(row["base_value"]) if known else None
            expect(close(row["difference"], expected), f"difference: {row}")
            expect(not known or float(row["low"]) <= float(row["high"]), f"interval: {row}")
    for head in {row["head"] for row in table}:
        check_head(rows, runs, head, classes, keys)
    for failure in failures[:20]:
        print(failure)
    sys.exit(bool(failures))


main()
