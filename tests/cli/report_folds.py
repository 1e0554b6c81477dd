"""Makes a RUN with finished fold folders that cmus-report can read: invented predictions, no training.

    report_folds.py RUN [--folds 5] [--cases 60] [--classes IgAN,MN,LN] [--seed 1] [--case-seed N] [--epochs 12]
                        [--heads om,im,tem] [--skill 3.2] [--images 10] [--older]
"""
import argparse
import json
import math
import os
import random


def softmax(logits):
    largest = max(logits)
    exponentials = [math.exp(value - largest) for value in logits]
    total = sum(exponentials)
    return [value / total for value in exponentials]


def predict(generator, classes, label, skill):
    return softmax([generator.gauss(skill if index == label else 0, 1.3) for index in range(classes)])


def digits(values):
    return ",".join(f"{value:.9g}" for value in values)


def quoted(text):
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text


def write_predictions(path, generator, labels, fold, options):
    skills = {"": options.skill, "om": 0.8, "im": 1.8, "tem": 2.2}
    heads = [""] + [head for head in options.heads.split(",") if head]
    columns = ["case_id", "patient_id", "label"]
    columns += [f"prob_{head + '_' if head else ''}{name}" for head in heads for name in options.classes]
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(map(quoted, columns + ["tem_weight", "tem_distance", "tem_kept", "mean_distance"])) + "\n")
        for number in range(options.cases):
            label = labels.randrange(len(options.classes))
            name, patient = options.classes[label], f"p{fold}-{number // 2}"
            images = generator.randint(1, options.images)
            kept = [1] * images
            if images > 4:
                kept[generator.randrange(images)] = 0
            weight = [generator.random() * used for used in kept]
            distance = [generator.random() * 5 for _ in kept]
            if images < 3:
                weight, distance = [1.0] * images, [0.0] * images
            else:
                centre = kept.index(1)
                weight[centre], distance[centre] = 1.0, 0.0
            probabilities = [predict(generator, len(options.classes), label, skills[head]) for head in heads]
            cells = [quoted(f"{name}/{patient}-{number}"), patient, quoted(name), *map(digits, probabilities),
                     ";".join(f"{value:.9g}" for value in weight), ";".join(f"{value:.9g}" for value in distance),
                     ";".join(map(str, kept)), f"{generator.random() * 4:.9g}"]
            file.write(",".join(cells) + "\n")


def write_training(path, generator, epochs, older):
    losses = [f"{part}_loss{head}" for part in ("train", "val") for head in ("", "_fusion", "_om", "_im", "_tem")]
    distances = [] if older else ["train_mean_distance", "val_mean_distance"]
    columns = ["epoch", "lr", *losses[:5], "train_accuracy", *losses[5:], "val_accuracy", *distances, "seconds"]
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(columns) + "\n")
        for epoch in range(epochs):
            loss = 2.1 * math.exp(-epoch / epochs * 2.2) + generator.gauss(0, 0.04) + 0.1
            held_out = 2.0 * math.exp(-epoch / epochs * 1.5) + generator.gauss(0, 0.08) + 0.2
            values = [loss] + [loss * factor for factor in (0.5, 0.9, 0.7, 0.6)] + [1 - loss / 3]
            values += [held_out] + [held_out * factor for factor in (0.5, 0.9, 0.7, 0.6)] + [1 - held_out / 3]
            values += [900 - 20 * loss + generator.gauss(0, 4), 920 - 30 * held_out + generator.gauss(0, 8)]
            cells = [f"{value:.9g}" for value in values]
            if epoch % 2 == 0 and epoch + 1 < epochs:
                cells[6:12] = [""] * 6
                cells[13] = ""
            if older:
                cells = cells[:12]
            file.write(f"{epoch},3e-05,{','.join(cells)},{generator.uniform(40, 50):.3f}\n")


def write_run(path, fold, options):
    information = {"program": "cmus-train", "version": "0.1.0", "git_revision": "0123456789ab", "openmpi": "4.1.4",
                   "openblas": "0.3.21", "hdf5": "1.10.8", "blas_kernel": "Haswell", "hosts": ["node1", "node2"],
                   "ranks": 2, "threads": 1, "seed": 7, "dataset_hash": "ab" * 32, "config_hash": "12" * 32, "fold": fold, "folds": options.folds,
                   "repeat": 0, "started": f"2025-01-0{fold % 9 + 1}T08:00:00Z", "ended": f"2025-01-0{fold % 9 + 1}T09:30:00Z",
                   "fold_complete": True}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(information, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cases", type=int, default=60, help="of each fold")
    parser.add_argument("--classes", type=lambda text: text.split(","), default=["IgAN", "MN", "LN"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case-seed", type=int, help="runs with the same one have the same cases and labels")
    parser.add_argument("--skill", type=float, default=3.2, help="of the fusion head")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--heads", default="om,im,tem")
    parser.add_argument("--images", type=int, default=10, help="TEM images of a case, at most")
    parser.add_argument("--older", action="store_true", help="train.csv as older versions wrote it, without distances")
    options = parser.parse_args()
    for fold in range(options.folds):
        generator = random.Random(f"{options.seed} {fold}")
        labels = generator if options.case_seed is None else random.Random(f"{options.case_seed} {fold}")
        folder = os.path.join(options.run, f"fold-{fold}")
        os.makedirs(folder)
        write_predictions(os.path.join(folder, "predictions.csv"), generator, labels, fold, options)
        write_training(os.path.join(folder, "train.csv"), generator, options.epochs, options.older)
        write_run(os.path.join(folder, "run.json"), fold, options)
        with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as file:
            file.write(f"embed_dim: 16\ndepths: [2, 2, 2, 2]\nimage_size: 112\nepochs: {options.epochs}\nbatch: 4\n"
                       "lr: 0.0003\nseed: 7\nhead_relu: false\ndrop_path: 0.1\n")


main()
