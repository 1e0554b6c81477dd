"""Reads a fold's event files as TensorBoard does, and compares them with its tables.

    python3 events_check.py FOLD STARTS          STARTS: how many event files there must be

Frames and checksums are read strictly, but for a last record that a kill cut off. What lies behind the step of a later
file's SessionLog START is dropped. Where TensorBoard (PyPI) can be imported, its own reader must find the same.
"""
import csv
import math
import pathlib
import struct
import sys


def checksum(data):
    """CRC-32C, masked as in TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data = path.read_bytes()
    while data:
        if len(data) < 12 or len(data) < 16 + struct.unpack("<Q", data[:8])[0]:
            return  # cut off
        length, check = struct.unpack("<QI", data[:12])
        assert check == checksum(data[:8]), f"{path}: checksum of a length"
        event = data[12:12 + length]
        assert struct.unpack("<I", data[12 + length:16 + length])[0] == checksum(event), f"{path}: checksum of a record"
        yield event
        data = data[16 + length:]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """(number, value) of each field of a message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            size, code = {1: (8, "<d"), 5: (4, "<f")}[key & 7]
            value, at = struct.unpack(code, data[at:at + size])[0], at + size
        yield key >> 3, value


def read_events(fold, starts):
    """{tag: {step: value}}"""
    paths = sorted(fold.glob("events.out.tfevents.*"))
    assert len(paths) == starts, f"{fold}: {len(paths)} event files, not {starts}"
    scalars = {}
    for path in paths:
        for number, event in enumerate(records(path)):
            event = dict(fields(event))
            step = event.get(2, 0)
            if number == 0:
                assert event[3] == b"brain.Event:2", f"{path}: {event}"
            elif number == 1:
                assert dict(fields(event[7])) == {1: 1}, f"{path}: {event}"
                for values in scalars.values():
                    for later in [s for s in values if s >= step]:
                        del values[later]
            else:
                for _, value in fields(event[5]):
                    value = dict(fields(value))
                    values = scalars.setdefault(value[1].decode(), {})
                    assert step not in values, f"{path}: step {step} of {value[1]} again"
                    values[step] = value[2]
    return scalars


def compare(scalars, tag, expected):
    """expected: {step: text of a table}; float32 holds seven digits, seconds have fewer."""
    found = scalars.get(tag, {})
    assert found.keys() == expected.keys(), f"{tag}: steps {sorted(found)}, not {sorted(expected)}"
    for step, text in expected.items():
        allowed = 1e-6 * abs(float(text)) + (6e-4 if tag.endswith("seconds") else 1e-12)
        assert abs(found[step] - float(text)) <= allowed, f"{tag}, step {step}: {found[step]}, not {text}"


def compare_tables(fold, scalars):
    steps = list(csv.DictReader(open(fold / "steps.csv")))
    epochs = list(csv.DictReader(open(fold / "train.csv")))
    last = {row["epoch"]: int(row["step"]) for row in steps}  # update of each epoch
    for tag, column in (("loss", "loss"), ("gradient_norm", "gradient_norm"), ("seconds", "seconds")):
        compare(scalars, f"update/{tag}", {int(row["step"]): row[column] for row in steps})
    lr = {row["epoch"]: row["lr"] for row in epochs}
    compare(scalars, "update/learning_rate", {int(row["step"]): lr[row["epoch"]] for row in steps})
    names = ["loss", "accuracy", "mean_distance"] + [f"loss_{head}" for head in ("fusion", "om", "im", "tem")]
    for prefix, kind in (("train", "train"), ("val", "held_out")):
        for name in names:
            compare(scalars, f"{name}/{kind}",
                    {last[row["epoch"]]: row[f"{prefix}_{name}"] for row in epochs if row[f"{prefix}_{name}"]})
    compare(scalars, "epoch/number", {last[row["epoch"]]: row["epoch"] for row in epochs})
    compare(scalars, "epoch/seconds", {last[row["epoch"]]: row["seconds"] for row in epochs})
    assert all(value > 0 for value in scalars["update/images_per_second"].values())


def area(scores, positives):
    pairs = [(p > n) + (p == n) / 2 for p, is_one in zip(scores, positives) if is_one
             for n, is_other in zip(scores, positives) if not is_other]
    return sum(pairs) / len(pairs)


def compare_area(fold, scalars):
    """The last AUC is that of the predictions."""
    rows = list(csv.DictReader(open(fold / "predictions.csv")))
    classes = [name[5:] for name in rows[0] if name.startswith("prob_") and not name.startswith(("prob_om_", "prob_im_", "prob_tem_"))]
    mean = sum(area([float(row[f"prob_{c}"]) for row in rows], [row["label"] == c for row in rows]) for c in classes) / len(classes)
    found = scalars["auc/held_out"]
    assert abs(found[max(found)] - mean) < 1e-6, f"auc/held_out: {found[max(found)]}, not {mean}"


def compare_tensorboard(fold, scalars):
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        print("TensorBoard is not installed: its reader was not asked")
        return
    reader = EventAccumulator(str(fold), size_guidance={"scalars": 0}).Reload()
    assert set(reader.Tags()["scalars"]) == set(scalars)
    for tag, values in scalars.items():
        found = {event.step: event.value for event in reader.Scalars(tag)}
        assert found.keys() == values.keys(), f"TensorBoard, {tag}: {sorted(found)}, not {sorted(values)}"
        assert all(found[s] == values[s] or math.isnan(values[s]) for s in values), f"TensorBoard, {tag}"
    print("TensorBoard reads the same")


def main():
    fold = pathlib.Path(sys.argv[1])
    scalars = read_events(fold, int(sys.argv[2]))
    compare_tables(fold, scalars)
    compare_area(fold, scalars)
    compare_tensorboard(fold, scalars)


if __name__ == "__main__":
    main()
