"""Gives the cases of a packed data set to a run made by report_folds.py: report_pictured.py RUN DATA TREE

DATA has splits.csv; TREE holds the images that it was packed from.
The invented predictions stay, so that about two of three are wrong with three classes.
"""
import csv
import glob
import hashlib
import json
import os
import sys


def cases_of(data, tree):
    """Case id, patient id, class, number of TEM images."""
    with open(os.path.join(data, "splits.csv"), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            images = glob.glob(os.path.join(tree, row["case_id"], "TEM_*"))
            yield row["case_id"], row["patient_id"], row["class"], len(images)


def main():
    run, data, tree = sys.argv[1:]
    with open(os.path.join(data, "dataset.json"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    cases = cases_of(data, tree)
    for folder in sorted(glob.glob(os.path.join(run, "fold-*"))):
        path = os.path.join(folder, "predictions.csv")
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        for row, (case, patient, label, images) in zip(rows, cases):
            row[:3] = case, patient, label
            for name, value in (("tem_weight", "0.5"), ("tem_distance", "1"), ("tem_kept", "1")):
                row[header.index(name)] = ";".join([value] * (images - 1) + ["0"])
        with open(path, "w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *rows])
        path = os.path.join(folder, "run.json")
        with open(path, encoding="utf-8") as file:
            information = json.load(file)
        information["dataset_hash"] = digest
        with open(path, "w", encoding="utf-8") as file:
            json.dump(information, file, indent=1)


main()
