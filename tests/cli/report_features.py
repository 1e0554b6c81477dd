"""Adds features.safetensors to the fold folders of a RUN of report_folds.py: each class a cloud of its own, predictions
that are wrong nearer to the others.

    report_features.py RUN [--dimensions 24] [--folds 0,2] [--manifest]
"""
import argparse
import array
import csv
import glob
import hashlib
import json
import os
import random


def write_safetensors(path, tensors):
    """tensors: name -> list of rows."""
    header, begin = {}, 0
    for name, rows in tensors.items():
        size = 4 * len(rows) * len(rows[0])
        header[name] = {"dtype": "F32", "shape": [len(rows), len(rows[0])], "data_offsets": [begin, begin + size]}
        begin += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for rows in tensors.values():
            for row in rows:
                file.write(array.array("f", row).tobytes())


def features(generator, rows, dimensions):
    centres = {}
    for row in rows:
        weights = [float(value) for name, value in row.items() if name in row["_classes"]]
        for label in range(len(weights)):
            centres.setdefault(label, [generator.gauss(0, 3) for _ in range(dimensions)])
        yield [sum(weight * centres[label][k] for label, weight in enumerate(weights)) + generator.gauss(0, 1)
               for k in range(dimensions)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--dimensions", type=int, default=24)
    parser.add_argument("--folds", help="numbers of the folds that get features; default: all")
    parser.add_argument("--manifest", action="store_true", help="write MANIFEST.sha256")
    options = parser.parse_args()
    for folder in sorted(glob.glob(os.path.join(glob.escape(options.run), "fold-*"))):
        number = folder.rsplit("-", 1)[1]
        if options.folds and number not in options.folds.split(","):
            continue
        with open(os.path.join(folder, "predictions.csv"), encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        classes = [name for name in rows[0] if name.startswith("prob_") and not name.startswith(("prob_om_", "prob_im_", "prob_tem_"))]
        for row in rows:
            row["_classes"] = classes
        generator = random.Random(f"features {number}")
        write_safetensors(os.path.join(folder, "features.safetensors"),
                          {"fused": list(features(generator, rows, options.dimensions)),
                           "om": [[generator.gauss(0, 1) for _ in range(4)] for _ in rows]})
        if options.manifest:
            with open(os.path.join(folder, "MANIFEST.sha256"), "w", encoding="utf-8") as file:
                for name in sorted(os.listdir(folder)):
                    if name != "MANIFEST.sha256":
                        with open(os.path.join(folder, name), "rb") as content:
                            file.write(f"{hashlib.sha256(content.read()).hexdigest()}  {name}\n")


main()
