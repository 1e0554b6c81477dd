#!/usr/bin/env python3
"""What predict_bench.sh compares with: the same cases from the same files by PyTorch (tests/golden/cmusnet_reference.py).

    predict_bench.py weights OUT.pth                        # random weights of the full network, three classes
    predict_bench.py predict WEIGHTS.pth TREE --processes 2 --threads 1 [--check predictions.csv]

`predict` prints seconds a case (images read by Pillow, weights already loaded, one case to warm up) and peak memory. Several
processes share the cases; the time is that of the slowest. --check compares the fusion's probabilities with a table."""
import argparse
import csv
import os
import resource
import sys
import time

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
from cmusnet_reference import PRESETS, CMUSNet  # noqa: E402

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
SIZE = PRESETS["full"]["image"]


def read_image(path):
    with Image.open(path) as image:
        image = image.convert("RGB")
        if image.size != (SIZE, SIZE):
            image = image.resize((SIZE, SIZE), Image.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    return (pixels / 255 - MEAN) / DEVIATION


def find_cases(tree):
    """(case id, {modality: [path]}) of <class>/<case>/<MODALITY>_*; bags of up to ten, in natural order of single digits."""
    cases = []
    for group in sorted(os.listdir(tree)):
        for name in sorted(os.listdir(os.path.join(tree, group))):
            folder = os.path.join(tree, group, name)
            files = sorted(os.listdir(folder), key=lambda file: (len(file), file))
            cases.append((f"{group}/{name}", {m: [os.path.join(folder, f) for f in files if f.startswith(m + "_")]
                                              for m in ("TEM", "OM", "IM")}))
    return cases


def predict(network, files):
    tem = torch.stack([read_image(path) for path in files["TEM"]])
    outputs = network(tem, read_image(files["OM"][0]), read_image(files["IM"][0]))
    return torch.softmax(outputs["fusion"].double(), 0).numpy()


def run_process(rank, args, results):
    torch.set_num_threads(args.threads)
    network = CMUSNet(**PRESETS["full"]).eval()
    network.load_state_dict(torch.load(args.weights))
    cases = find_cases(args.tree)[rank::args.processes]
    with torch.inference_mode():
        predict(network, cases[0][1])
        results["ready"].wait()
        began = time.perf_counter()
        found = [(name, predict(network, files)) for name, files in cases]
        seconds = time.perf_counter() - began
    results["queue"].put((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, found))


def check(path, found, tolerance):
    with open(path, newline="") as file:
        rows = {row["case_id"]: row for row in csv.DictReader(file)}
    columns = [name for name in next(iter(rows.values())) if name.startswith("prob_")][:PRESETS["full"]["classes"]]
    worst = max(abs(float(rows[name][column]) - p) for name, values in found for column, p in zip(columns, values))
    print(f"largest difference of a probability {worst:.2e}")
    if not worst < tolerance:
        sys.exit("predict_bench.py: the probabilities differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    weights = commands.add_parser("weights")
    weights.add_argument("out")
    run = commands.add_parser("predict")
    run.add_argument("weights")
    run.add_argument("tree")
    run.add_argument("--processes", type=int, default=1)
    run.add_argument("--threads", type=int, default=2)
    run.add_argument("--check", metavar="CSV")
    run.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    if args.command == "weights":
        torch.manual_seed(1)
        torch.save(CMUSNet(**PRESETS["full"]).state_dict(), args.out)
        return
    context = torch.multiprocessing.get_context("spawn")
    results = {"ready": context.Barrier(args.processes), "queue": context.Queue()}
    processes = [context.Process(target=run_process, args=(rank, args, results)) for rank in range(args.processes)]
    for process in processes:
        process.start()
    answers = [results["queue"].get() for _ in processes]
    for process in processes:
        process.join()
    found = [one for answer in answers for one in answer[2]]
    print(f"seconds a case {max(answer[0] for answer in answers) / len(found):.4f}")
    print(f"peak memory of a process {max(answer[1] for answer in answers):.2f} GiB")
    if args.check:
        check(args.check, found, args.tolerance)


if __name__ == "__main__":
    main()
