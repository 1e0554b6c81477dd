"""Weights between cmus-train, cmus-weights and PyTorch's classes; called by weights_roundtrip.sh in its folder.

    weights_roundtrip.py make          # whole.pth (the authors' names) and encoders.pth (torchvision's), of noise
    weights_roundtrip.py check NAME... # NAME-*.safetensors and the run NAME against the class; writes NAME-saved.pth;
                                       # predicted/ against whole.pth
    weights_roundtrip.py same NAME...  # NAME-again.safetensors, which went through PyTorch, and NAME-f32.safetensors
"""
import csv
import json
import math
import pathlib
import struct
import sys

import h5py
import numpy as np
import torch
from torchvision.models.swin_transformer import SwinTransformer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
from cmusnet_reference import CMUSNet, load_noise, noise_parameter  # noqa: E402

SIZES = dict(embed_dim=8, depths=(2, 2, 2, 2), heads=(1, 2, 4, 8), image=64, classes=3, cmsa_heads=4, hidden=16)
TYPES = {"I64": (torch.int64, 8), "F32": (torch.float32, 4), "F16": (torch.float16, 2), "BF16": (torch.bfloat16, 2)}
HEADS = {"fusion": "prob_", "om": "prob_om_", "im": "prob_im_", "tem": "prob_tem_"}


def read_safetensors(path):
    """Tensors and metadata; the file must keep all rules of the format, and the order that its writers use."""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    assert length % 8 == 0 and data[8:9] == b"{", "the header is not aligned"
    header = json.loads(data[8:8 + length])
    metadata, tensors, at, last = header.pop("__metadata__"), {}, 0, (0, "")
    for name, entry in header.items():
        kind, width = TYPES[entry["dtype"]]
        begin, end = entry["data_offsets"]
        assert begin == at and begin % width == 0, f"{name}: a hole, or not aligned"
        assert end - begin == width * math.prod(entry["shape"]), f"{name}: its size"
        assert (-width, name) > last or not tensors, f"{name}: not in order"
        at, last = end, (-width, name)
        tensors[name] = torch.frombuffer(bytearray(data[8 + length + begin:8 + length + end]), dtype=kind).reshape(entry["shape"])
    assert 8 + length + at == len(data), "trailing bytes"
    assert metadata["format"] == "pt" and all(isinstance(value, str) for value in metadata.values())
    return tensors, metadata


def bits(tensor):
    return tensor.contiguous().numpy().tobytes() if tensor.dtype != torch.bfloat16 else tensor.contiguous().view(torch.int16).numpy().tobytes()


def assert_same(found, expected, what):
    assert found.keys() == expected.keys(), f"{what}: {sorted(found.keys() ^ expected.keys())[:5]}"
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and found[name].shape == tensor.shape, f"{what}: {name}"
        assert bits(found[name]) == bits(tensor), f"{what}: {name} has other bits"


def make():
    model = CMUSNet(**SIZES)
    load_noise(model, 5)
    torch.save(model.state_dict(), "whole.pth")
    swin = SwinTransformer([4, 4], 8, [2, 2, 2, 2], [1, 2, 4, 8], [7, 7], num_classes=10)
    with torch.no_grad():
        for name, parameter in swin.named_parameters():
            parameter.copy_(torch.from_numpy(noise_parameter(6, name, tuple(parameter.shape))))
    torch.save(swin.state_dict(), "encoders.pth")
    for name, saved in (("whole", model), ("encoders", swin)):  # as a training script saves it
        torch.save({"epoch": 3, "model": {"module." + key: value for key, value in saved.state_dict().items()},
                    "note": "saved"}, f"{name}-cased.pth", _use_new_zipfile_serialization=False)


def check_import(name):
    stored, found = torch.load(f"{name}.pth"), read_safetensors(f"{name}-imported.safetensors")[0]
    if name == "encoders":
        parts = {"features.": "0.", "norm.": "1."}
        stored = {f"{m}_encoder.{new}{key[len(old):]}": value for m in ("TEM", "OM", "IM") for key, value in stored.items()
                  for old, new in parts.items() if key.startswith(old)}
    assert_same(found, stored, f"{name}.pth imported")
    assert_same(read_safetensors(f"{name}-cased.safetensors")[0], stored, f"{name}-cased.pth imported")


def check_export(name):
    """Returns the model with the exported weights."""
    exported, metadata = read_safetensors(f"{name}-f32.safetensors")
    trained, before = read_safetensors(f"{name}/fold-0/final/weights.safetensors")
    assert_same(exported, trained, "exported")
    assert metadata == before and {"cmus_config", "cmus_images", "cmus_version"} < metadata.keys(), metadata.keys()
    model = CMUSNet(**SIZES)
    model.load_state_dict(exported, strict=True)
    model.eval()
    assert_same(model.state_dict(), exported, "loaded by PyTorch")
    torch.save(model.state_dict(), f"{name}-saved.pth")
    for suffix, kind in (("f16", torch.float16), ("bf16", torch.bfloat16)):
        tensors, more = read_safetensors(f"{name}-{suffix}.safetensors")
        rounded = {key: value.to(kind) if value.is_floating_point() else value for key, value in exported.items()}
        assert_same(tensors, rounded, suffix)
        assert more == metadata
        CMUSNet(**SIZES).load_state_dict(tensors, strict=True)
    return model


def cases_of(folder):
    """{case id: (tem [K,3,S,S], om, im)}, normalised."""
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    cases = {}
    for path in sorted(pathlib.Path(folder).glob("shard-*.h5")):
        with h5py.File(path) as shard:
            def planes(array):
                rgb = np.repeat(array, 3, -1) if array.shape[-1] == 1 else array
                return (torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255 - mean) / deviation
            om, im, tem, offset = planes(shard["om"][:]), planes(shard["im"][:]), planes(shard["tem"][:]), shard["tem_offset"][:]
            for i, case in enumerate(shard["case_id"][:]):
                cases[case.decode()] = (tem[offset[i]:offset[i + 1]][:10], om[i], im[i])
    return cases


def check_predictions(folder, model, trained):
    """trained: the folder of a fold, with features."""
    cases, worst = cases_of("data"), 0.0
    rows = list(csv.DictReader(open(f"{folder}/predictions.csv")))
    classes = json.load(open("data/dataset.json"))["classes"]
    assert len(rows) > 2
    features = read_safetensors(f"{folder}/features.safetensors")[0] if trained else None
    for i, row in enumerate(rows):
        with torch.no_grad():
            outputs = model(*cases[row["case_id"]])
            if trained:
                logits = model.MLP["linear2"](torch.relu(model.MLP["linear1"](features["fused"][i])))
                worst = max(worst, (logits - outputs["fusion"]).abs().max().item())
        for head, prefix in HEADS.items():
            found = torch.tensor([math.log(float(row[prefix + c])) for c in classes])
            worst = max(worst, (found - torch.log_softmax(outputs[head], 0)).abs().max().item())
    assert len({row["prob_" + classes[0]] for row in rows}) > 1, "all predictions are alike"
    assert worst < 1e-4, f"{folder}: logits differ by {worst}"
    print(f"{folder}: {len(rows)} cases, logits differ by at most {worst:.2g}")


def main():
    torch.set_num_threads(1)
    command, *names = sys.argv[1:]
    if command == "make":
        make()
    for name in names:
        if command == "same":
            assert_same(read_safetensors(f"{name}-again.safetensors")[0], read_safetensors(f"{name}-f32.safetensors")[0], name)
        else:
            check_import(name)
            check_predictions(f"{name}/fold-0", check_export(name), True)
    if command == "check":
        model = CMUSNet(**SIZES)
        model.load_state_dict(torch.load("whole.pth"))
        check_predictions("predicted", model.eval(), False)


main()
