#!/usr/bin/env python3
"""Copies of pictures for pack_checks.sh: stored again with an edit each, under patients of their own.

    pack_copies.py make CASES OUT COUNT [EDIT...]  the first COUNT cases of each class of the tree CASES, and of each a
                                                   case for each edit (all)
    pack_copies.py count FINDINGS OUT SHARE        how many copies were found, also if only through another copy; exit 1
                                                   if it is less than SHARE of any edit but 'corner', or if two
                                                   pictures were taken for one
"""
import csv
import re
import sys
from pathlib import Path

from PIL import Image

EDITS = {
    "quality60": lambda image: image,
    "half": lambda image: image.resize((image.width // 2, image.height // 2), Image.BILINEAR),
    "brighter": lambda image: image.point([min(255, round(1.1 * value)) for value in range(256)] * 3),
    # 2 % of the side, a half at each end, and all of it at one end
    "cut": lambda image: image.crop(tuple(round(share * side) for share, side in
                                          zip((0.01, 0.01, 0.99, 0.99), 2 * image.size))),
    "corner": lambda image: image.crop(tuple(round(share * side) for share, side in
                                             zip((0.02, 0.02, 1, 1), 2 * image.size))),
}


def make(cases, out, count, edits):
    for kind in sorted(path for path in cases.iterdir() if path.is_dir()):
        for patient in sorted(path for path in kind.iterdir() if path.is_dir())[:count]:
            for file in sorted(patient.iterdir()):
                image = Image.open(file).convert("RGB")
                for edit in ["", *edits]:
                    folder = out / kind.name / (patient.name + "+" + kind.name + "+" + edit)
                    folder.mkdir(parents=True, exist_ok=True)
                    if edit == "quality60":
                        image.save(folder / (file.stem + ".jpg"), quality=60)
                    else:
                        EDITS.get(edit, lambda image: image)(image).save(folder / (file.stem + ".png"), compress_level=1)


def count(findings, out, share):
    group = {}

    def first(name):
        while group.setdefault(name, name) != name:
            name = group[name]
        return name

    wrong = 0
    with open(findings, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found = re.fullmatch(r"looks like (.*) of (another|the same|this).*", row["what"])
            found = found or re.fullmatch(r"under another patient .*: (.*) of (case) .*", row["what"])
            if found:
                wrong += picture(row["file"]) != picture(found[1])
                group[first(row["file"])] = first(found[1])
    images = [str(path) for path in out.glob("*/*/*") if path.parent.name.endswith("+")]
    poor = False
    for edit in (edit for edit in EDITS if list(out.glob("*/*+" + edit))):
        copies = [path.replace("+/", "+" + edit + "/") for path in images]
        copies = [str(Path(path).with_suffix(".jpg")) if edit == "quality60" else path for path in copies]
        found = sum(first(copy) == first(image) for copy, image in zip(copies, images))
        print(f"{edit}: {found} of {len(images)} found")
        poor = poor or (edit != "corner" and found < share * len(images))
    print(f"{wrong} pairs of different pictures taken for copies")
    sys.exit(poor or wrong > 0)


def picture(path):
    """The file of which this one is a copy."""
    return Path(path).parent.name.rpartition("+")[0], Path(path).stem


if sys.argv[1] == "make":
    make(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5:] or EDITS)
else:
    count(sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]))
