#!/usr/bin/env python3
"""What pack_bench.sh needs of Pillow.

    pack_bench.py pack SRC OUT.h5 SIZE PROCESSES   what cmus-pack does, as a script would: seconds without starting Python
    pack_bench.py large SRC OUT PIXELS COUNT       folders OUT/jpeg, OUT/png, OUT/tiff of COUNT cases with images of PIXELS
                                                   x PIXELS: images of SRC enlarged, with noise as of a camera
    pack_bench.py table NAME IMAGES FILE           medians of the lines "decoding cmus-pack Pillow" (seconds) in FILE
"""
import multiprocessing
import os
import statistics
import sys
import time

import h5py
import numpy
from PIL import Image

MODALITIES = ("OM", "IM", "TEM")


def image_files(source):
    found = []
    for folder, _, names in os.walk(source):
        found += [os.path.join(folder, name) for name in names if name.startswith(MODALITIES)]
    return sorted(found)


def prepare(task):
    """A gray TEM image stays gray, as in a shard, so that both sides have the same work."""
    path, size = task
    with Image.open(path) as image:
        gray = image.mode == "L" and os.path.basename(path).startswith("TEM")
        if not gray and image.mode != "RGB":
            image = image.convert("RGB")
        return numpy.asarray(image.resize((size, size), Image.BILINEAR))


def pack(source, out, size, processes):
    start = time.perf_counter()
    tasks = [(path, size) for path in image_files(source)]
    if processes == 1:
        images = [prepare(task) for task in tasks]
    else:
        with multiprocessing.Pool(processes) as pool:
            images = pool.map(prepare, tasks, chunksize=4)
    with h5py.File(out, "w") as file:
        for modality in MODALITIES:
            chosen = [image for (path, _), image in zip(tasks, images) if os.path.basename(path).startswith(modality)]
            channels = max([1] + [3 for image in chosen if image.ndim == 3])
            dataset = file.create_dataset(modality.lower(), (len(chosen), size, size, channels), "u1",
                                          chunks=(1, size, size, channels), fletcher32=True)
            for i, image in enumerate(chosen):
                dataset[i] = image.reshape(size, size, -1)
    print("%.6f" % (time.perf_counter() - start))


def large(source, out, pixels, count):
    random = numpy.random.default_rng(1)
    files = image_files(source)
    for suffix, options in (("jpeg", {"quality": 90}), ("png", {}), ("tiff", {"compression": "tiff_lzw"})):
        for case in range(count):
            folder = os.path.join(out, suffix, "class%d" % (case % 2), "p%d" % case)
            os.makedirs(folder)
            for modality in MODALITIES:
                chosen = [path for path in files if os.path.basename(path).startswith(modality)]
                image = Image.open(chosen[case % len(chosen)])
                image = image.convert("L" if modality == "TEM" else "RGB").resize((pixels, pixels), Image.BICUBIC)
                noisy = numpy.asarray(image) + random.normal(0, 3, (pixels, pixels) + (3,) * (modality != "TEM"))
                name = "%s_class%d_p%d_1.%s" % (modality, case % 2, case, {"jpeg": "jpg", "tiff": "tif"}.get(suffix, suffix))
                Image.fromarray(noisy.clip(0, 255).astype("uint8")).save(os.path.join(folder, name), **options)


def table(name, images, file):
    rows = [[float(value) for value in line.split()] for line in open(file)]
    decode, own, pillow = (statistics.median(column) for column in zip(*rows))
    print("%s: %d images, %d rounds" % (name, images, len(rows)))
    for what, seconds in (("decoding alone", decode), ("cmus-pack", own), ("Pillow + h5py", pillow)):
        print("  %-16s %8.4f s %8.1f images/s" % (what, seconds, images / seconds))
    print("  cmus-pack / decoding alone, median of rounds: %.2f" % statistics.median(row[1] / row[0] for row in rows))
    print("  Pillow + h5py / cmus-pack, median of rounds: %.2f" % statistics.median(row[2] / row[1] for row in rows))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "pack":
        pack(arguments[0], arguments[1], int(arguments[2]), int(arguments[3]))
    elif what == "large":
        large(arguments[0], arguments[1], int(arguments[2]), int(arguments[3]))
    else:
        table(arguments[0], int(arguments[1]), arguments[2])
