"""Makes of a fold folder by report_folds.py what cmus-predict writes: predictions.csv, predictions.json, MANIFEST.sha256.

    report_external.py FOLD DIR [--models 1] [--unlabelled 0] [--incomplete 0] [--silent HEAD] [--source data|cases]
                       [--source-hash TEXT] [--source-fold TEXT] [--model-hash TEXT] [--model-folds 0,1,all]

The first cases have no label; those after them lack OM, so that fusion and OM head say nothing.
"""
import argparse
import csv
import hashlib
import json
import os


def digest(content):
    return hashlib.sha256(content).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fold")
    parser.add_argument("folder")
    parser.add_argument("--models", type=int, default=1)
    parser.add_argument("--unlabelled", type=int, default=0)
    parser.add_argument("--incomplete", type=int, default=0)
    parser.add_argument("--silent", help="head that says nothing about any case")
    parser.add_argument("--source", default="cases")
    parser.add_argument("--source-hash")
    parser.add_argument("--source-fold")
    parser.add_argument("--model-hash")
    parser.add_argument("--model-folds", type=lambda text: text.split(","))
    options = parser.parse_args()
    with open(os.path.join(options.fold, "predictions.csv"), encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    heads = [name for name in head if name.startswith("prob_")]
    classes = [name[5:] for name in heads if not name.startswith(("prob_om_", "prob_im_", "prob_tem_"))]
    cases = []
    for number, row in enumerate(rows):
        cells = dict(zip(head, row))
        incomplete = options.unlabelled <= number < options.unlabelled + options.incomplete
        source = "prob_tem_" if incomplete else "prob_"
        predicted = max(classes, key=lambda name: float(cells[source + name]))
        if number < options.unlabelled:
            cells["label"] = ""
        for name in heads:
            of_om = name.startswith("prob_om_") or name[5:] in classes
            if (incomplete and of_om) or (options.silent and name.startswith(f"prob_{options.silent}_")):
                cells[name] = ""
        spread = "" if incomplete else "0.0125"
        cases.append([cells[name] for name in head] + [predicted, options.models, "om" if incomplete else ""] + [spread] * len(classes))
    os.makedirs(options.folder)
    path = os.path.join(options.folder, "predictions.csv")
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [head + ["predicted", "models", "missing"] + ["sd_" + name for name in classes], *cases])
    folds = options.model_folds or [None] * options.models
    models = [{"path": f"run/fold-{number}/final/weights.safetensors", "sha256": digest(f"model {number}".encode()),
               "config_hash": "12" * 32, "dataset_hash": options.model_hash, "fold": fold} for number, fold in enumerate(folds)]
    record = {"format": "cmus-predict 1", "version": "0.1.0", "git_revision": "0123456789ab", "classes": classes, "models": models,
              "source": {"kind": options.source, "paths": ["other/hospital"], "dataset_hash": options.source_hash,
                         "fold": options.source_fold},
              "cases": [{"case_id": row[0]} for row in cases]}
    with open(os.path.join(options.folder, "predictions.json"), "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    with open(os.path.join(options.folder, "MANIFEST.sha256"), "w", encoding="utf-8") as manifest:
        for name in ("predictions.csv", "predictions.json"):
            with open(os.path.join(options.folder, name), "rb") as file:
                manifest.write(f"{digest(file.read())}  {name}\n")


main()
