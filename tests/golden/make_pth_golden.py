#!/usr/bin/env python3
"""Writes tests/golden/pth/*.pth with PyTorch (1.13 as Debian has it), for tests/unit/test_pth.c: make_pth_golden.py [FOLDER].

Every tensor is made of 0, 1, 2, ... in its storage, so that the test needs no other file. What PyTorch 1.13 does not write
(entries of PyTorch 2, big-endian storages) is put into its archives by hand.
"""
import collections
import struct
import sys
import zipfile
from pathlib import Path

import torch

TYPES = {"double": torch.float64, "half": torch.float16, "bfloat": torch.bfloat16, "long": torch.int64, "int": torch.int32,
         "short": torch.int16, "char": torch.int8, "byte": torch.uint8}


def tensors():
    plain = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    cube = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    result = collections.OrderedDict(
        plain=plain, transposed=plain.t(), part=plain[1:, 1:3], steps=plain[::2, ::3], permuted=cube.permute(2, 0, 1), middle=cube[:, 1],
        expanded=torch.arange(2, dtype=torch.float32).expand(3, 2), scalar=torch.tensor(5), empty=torch.empty(0, 3),
        bool=torch.tensor([False, True, True]), parameter=torch.nn.Parameter(torch.arange(4, dtype=torch.float32)))
    for name, kind in TYPES.items():
        result[name] = torch.arange(5).to(kind)
    result._metadata = collections.OrderedDict({"": {"version": 1}})
    return result


def checkpoint():
    weights = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    moments = {"state": {0: {"step": 7, "exp_avg": weights + 1}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0]}]}
    return {"epoch": 3, "loss": 0.25, "large": 1 << 70, "negative": -3, "scaler": None, "classes": ["IgAN", "MN"], "shape": weights.shape,
            "flag": True, "storage": weights.storage(), "untyped": torch.UntypedStorage(4), "optimizer": moments,
            "model": {"layer.weight": weights, "layer.bias": torch.arange(2, dtype=torch.float32)}}


def archive_of_pytorch_2(source, path, order):
    """The same archive with the entries of PyTorch 2, in its order; '>': the storages of a big-endian machine."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        entries = {name.split("/", 1)[1]: old.read(name) for name in old.namelist()}
        extra = {".format_version": b"1", ".storage_alignment": b"64", "byteorder": b"little" if order == "<" else b"big"}
        names = ["data.pkl", *extra, *(name for name in entries if name.startswith("data/")), "version", ".data/serialization_id"]
        entries.update(extra, **{".data/serialization_id": b"0" * 40})
        for name in names:
            data = entries[name]
            if order == ">" and name.startswith("data/"):
                data = struct.pack(f">{len(data) // 4}f", *struct.unpack(f"<{len(data) // 4}f", data))
            new.writestr(zipfile.ZipInfo("weights/" + name), data)


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "pth")
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors(), folder / "zip.pth")
    torch.save(tensors(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(tensors(), folder / "protocol4.pth", pickle_protocol=4)
    torch.save(checkpoint(), folder / "checkpoint.pth")
    torch.save(checkpoint(), folder / "checkpoint_legacy.pth", _use_new_zipfile_serialization=False)
    layer = torch.nn.Linear(3, 2)
    torch.save(layer, folder / "module.pth")
    torch.save(layer, folder / "module_legacy.pth", _use_new_zipfile_serialization=False)
    torch.jit.script(layer).save(str(folder / "script.pth"))
    floats = collections.OrderedDict((name, tensor) for name, tensor in tensors().items() if tensor.dtype == torch.float32)
    torch.save(floats, folder / "floats.pth")
    for order, name in (("<", "little"), (">", "big")):
        archive_of_pytorch_2(folder / "floats.pth", folder / f"pytorch2_{name}.pth", order)
    (folder / "floats.pth").unlink()


if __name__ == "__main__":
    main()
