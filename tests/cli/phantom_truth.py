#!/usr/bin/env python3
"""usage: phantom_truth.py DIR SIZE: the images, masks and truth.csv of cmus-phantom agree and mean what they should."""
import csv
import os
import sys

import numpy
from PIL import Image

MESANGIUM, MEMBRANE = 128, 255


def check(condition, text):
    if not condition:
        sys.exit(f"phantom_truth: {text}")


def check_image(folder, row, size):
    with Image.open(os.path.join(folder, row["file"])) as image:
        check(image.format == "JPEG" and image.size == (size, size), f"{row['file']}: {image.format} {image.size}")
        check(image.mode == ("L" if row["modality"] == "TEM" else "RGB"), f"{row['file']}: mode {image.mode}")
        pixels = numpy.asarray(image, dtype=float)
    if row["modality"] == "OM":
        check(row["mask"] == "", f"{row['file']}: OM has no mask")
        return
    with Image.open(os.path.join(folder, row["mask"])) as image:
        check(image.format == "PNG" and image.mode == "L", f"{row['mask']}: not an 8-bit gray PNG")
        mask = numpy.asarray(image)
    check(mask.shape == (size, size), f"{row['mask']}: shape {mask.shape}")
    check(set(numpy.unique(mask)) <= {0, MESANGIUM, MEMBRANE}, f"{row['mask']}: other values")
    for value, column in ((MESANGIUM, "mesangium_area"), (MEMBRANE, "membrane_area")):
        check(abs((mask == value).mean() - float(row[column])) < 1e-5, f"{row['mask']}: area is not {row[column]}")
    if mask.any():
        light = pixels if row["modality"] == "TEM" else pixels[..., 1]
        difference = light[mask > 0].mean() - light[mask == 0].mean()
        dark = row["modality"] == "TEM"
        check(difference < -40 if dark else difference > 20, f"{row['file']}: deposits differ by {difference:.0f}")


def check_row(row):
    mesangium, membrane = float(row["mesangium_area"]), float(row["membrane_area"])
    where = row["file"]
    check(row["class"] != "IgAN" or membrane == 0, f"{where}: IgAN with deposits on the membrane")
    check(row["class"] != "MN" or mesangium == 0, f"{where}: MN with deposits in the mesangium")
    good = row["quality"] == "good" and row["modality"] != "OM"
    check(not good or row["class"] == "MN" or mesangium > 0, f"{where}: no deposits in the mesangium")
    check(not good or row["class"] == "IgAN" or membrane > 0, f"{where}: no deposits on the membrane")
    check(row["on_target"] == "1" or mesangium + membrane == 0, f"{where}: off target, but with deposits")
    return mesangium + membrane


def main():
    folder, size = sys.argv[1], int(sys.argv[2])
    with open(os.path.join(folder, "truth.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    areas = {}
    for row in rows:
        check_image(folder, row, size)
        area = check_row(row)
        if row["modality"] == "TEM" and row["quality"] == "good":
            areas.setdefault(row["class"], []).append(area)
    means = {name: sum(values) / len(values) for name, values in areas.items()}
    few = min(len(values) for values in areas.values()) < 30  # then chance would fail it
    check(few or max(means.values()) < 1.2 * min(means.values()), f"amounts of deposit depend on the class: {means}")
    files = sum(len(names) for _, _, names in os.walk(os.path.join(folder, "cases")))
    check(files == len(rows), f"{files} images, but {len(rows)} lines in truth.csv")
    print(f"phantom_truth: {len(rows)} images, mean deposit areas {means}")


if __name__ == "__main__":
    main()
