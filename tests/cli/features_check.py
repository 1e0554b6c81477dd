"""Looks at a fold's features.safetensors: the heads of the final weights must make its predictions from them.

    python3 features_check.py FOLD
"""
import csv
import json
import math
import pathlib
import struct
import sys


def read_tensors(path):
    """{name: (shape, values)} of the float32 tensors."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + length]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = (entry["shape"], struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
    return tensors


def linear(tensors, name, inputs):
    (rows, columns), weight = tensors[f"{name}.weight"]
    bias = tensors[f"{name}.bias"][1]
    assert columns == len(inputs), f"{name} takes {columns} values, not {len(inputs)}"
    return [bias[r] + sum(weight[r * columns + c] * inputs[c] for c in range(columns)) for r in range(rows)]


def compare(logits, row, prefix, classes):
    powers = [math.exp(logit - max(logits)) for logit in logits]
    for name, power in zip(classes, powers):
        found = float(row[prefix + name])
        assert abs(power / sum(powers) - found) < 1e-5, f"{row['case_id']}, {prefix}{name}: {power / sum(powers)}, not {found}"


def main():
    fold = pathlib.Path(sys.argv[1])
    assert "features.safetensors" in (fold / "MANIFEST.sha256").read_text(), "the manifest does not list the features"
    features = read_tensors(fold / "features.safetensors")
    weights = read_tensors(fold / "final" / "weights.safetensors")
    rows = list(csv.DictReader(open(fold / "predictions.csv")))
    classes = [name[8:] for name in rows[0] if name.startswith("prob_om_")]
    channels = features["om"][0][1]
    shapes = {name: [len(rows), 3 * channels if name == "fused" else channels] for name in ("om", "im", "tem", "fused")}
    assert {name: shape for name, (shape, _) in features.items()} == shapes, features.keys()
    for i, row in enumerate(rows):
        case = {name: values[i * shape[1]:(i + 1) * shape[1]] for name, (shape, values) in features.items()}
        tem, om, im = (case["fused"][m * channels:(m + 1) * channels] for m in range(3))
        assert tem == case["tem"] and om != case["om"] and im != case["im"] and case["om"] != case["im"]
        hidden = [max(value, 0) for value in linear(weights, "MLP.linear1", case["fused"])]
        compare(linear(weights, "MLP.linear2", hidden), row, "prob_", classes)
        for name, values in (("TEM", tem), ("OM", om), ("IM", im)):
            compare(linear(weights, f"{name}_fc.linear", values), row, f"prob_{name.lower()}_", classes)


if __name__ == "__main__":
    main()
