"""Checks cases.csv of cmus-report against the folds of one run: report_cases.py RUN CASES.csv

Prints what is wrong and exits 1.
"""
import csv
import glob
import json
import os
import sys


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def best(row, prefix, classes):
    return max(classes, key=lambda name: float(row[prefix + name]))


def expected(row, run, fold):
    """The cells of cases.csv that follow from a row of predictions.csv."""
    classes = [name[len("prob_"):] for name in row if name.startswith("prob_")]
    heads = [head for head in ("om", "im", "tem") if any(name.startswith(head + "_") for name in classes)]
    classes = classes[:len(classes) // (len(heads) + 1)]
    predicted = best(row, "prob_", classes)
    own = [best(row, f"prob_{head}_", classes) for head in heads]
    cells = {"run": run, "fold": str(fold), "repeat": "0", "predicted": predicted,
             "correct": str(int(predicted == row["label"])), "confidence": row["prob_" + predicted],
             "heads_agreeing": str(own.count(predicted)), "heads": str(len(heads))}
    cells.update({f"predicted_{head}": name for head, name in zip(heads, own)})
    if "tem" in heads:
        kept = row["tem_kept"].split(";")
        cells.update(tem_images=str(len(kept)), tem_used=str(kept.count("1")))
    return {**row, **cells}


def same(a, b):
    """Lists of numbers may be written in another form; weights are kept as float32."""
    if a == b:
        return True
    try:
        pairs = list(zip(map(float, a.split(";")), map(float, b.split(";")), strict=True))
    except ValueError:
        return False
    return all(abs(x - y) <= 1e-7 * max(abs(x), abs(y)) for x, y in pairs)


def main():
    run, path = sys.argv[1:]
    wanted = []
    for folder in sorted(glob.glob(os.path.join(run, "fold-*"))):
        with open(os.path.join(folder, "run.json"), encoding="utf-8") as file:
            fold = json.load(file)["fold"]
        wanted += [expected(row, os.path.basename(run), fold) for row in rows_of(os.path.join(folder, "predictions.csv"))]
    written = rows_of(path)
    failures = [] if len(written) == len(wanted) else [f"{len(written)} rows of {len(wanted)}"]
    for number, (row, other) in enumerate(zip(wanted, written), 2):
        failures += [f"line {number}, {name}: '{other.get(name)}', not '{value}'" for name, value in row.items()
                     if name not in other or not same(value, other[name])]
    for text in failures[:20]:
        print(text)
    sys.exit(bool(failures))


main()
