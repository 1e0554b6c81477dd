#!/usr/bin/env python3
"""How much of the heat of `cmus-predict --explain` lies on the deposits that `cmus-phantom` drew.

    heat_maps.py PHANTOM OUT [OUT...]            # OUT of cmus-predict --explain; the first is the trained network
    heat_maps.py PHANTOM WEIGHTS [WEIGHTS...] --torch DATA [--fold 0] [--against OUT]

The first network says which cases count: those of MN and IgAN that it classifies correctly. The others (random weights)
are measured on the same images, each with the class that it predicts itself.

Masks are dilated by a disc of 16 px. Selected are images in which the dilated mask is at most 20 % of the image; images
without a deposit or without heat (TEM images that SMIL leaves out) have nothing to measure. Heat maps are enlarged
bilinearly to 32 px a token.
Each case's heat is scaled to a maximum of 1.
    area      mean share of the image that the dilated mask covers
    in mask   sum of the heat inside the masks / sum of all heat, over all images together
    ratio     in mask / area
    ratio of each image, mean: the same in each image, averaged
With --torch the heat is computed by PyTorch's autograd from the packed data set and the weights (tests/golden/
cmusnet_reference.py): another way to the same numbers. --against OUT compares both, map by map."""
import argparse
import csv
import glob
import json
import os
import struct
import sys

import numpy as np
from PIL import Image

PATCH, MERGES = 4, 3  # pixels of a patch, patch mergings: a token of the last stage is 32 px
AGREE = 1e-3  # float32 both, of which each sums in its own order
MODALITIES = ("TEM", "IM")  # those whose masks are drawn


# ---------------------------------------------------------------- files

def read_safetensors(path):
    """Tensors by name (float32 ones only), metadata."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            tensors[name] = np.frombuffer(data[8 + length + begin:8 + length + end], "<f4").reshape(entry["shape"])
    return tensors, metadata


def read_truth(phantom):
    """Images of each case by modality, in the order in which the network sees them."""
    images = {}
    with open(os.path.join(phantom, "truth.csv"), newline="") as file:
        for row in csv.DictReader(file):
            images.setdefault(row["case_id"], {}).setdefault(row["modality"], []).append(row)
    return images


def read_explained(out):
    """case -> (true class, predicted class, {modality: heat [images, side, side]}) of a folder of cmus-predict."""
    with open(os.path.join(out, "predictions.csv"), newline="") as file:
        rows = {row["case_id"]: row for row in csv.DictReader(file)}
    cases = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(out), "explain", "*.safetensors"))):
        tensors, metadata = read_safetensors(path)
        row = rows[metadata["case_id"]]
        heat = {"TEM": tensors["heat.tem"], "IM": tensors["heat.im"][None]}
        cases[metadata["case_id"]] = (row["label"], row["predicted"], heat)
    return cases


# ---------------------------------------------------------------- the same by PyTorch

def reference_network(weights, image_size):
    """CMUS-Net of tests/golden with the sizes that the weights' shapes have (heads: 32 channels, or as configured)."""
    import torch
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden"))
    from cmusnet_reference import CMUSNet

    tensors, _ = read_safetensors(weights)
    stages = (1, 3, 5, 7)
    prefix = "TEM_encoder.0."
    depths = [len([n for n in tensors if n.startswith(f"{prefix}{s}.") and n.endswith("norm1.weight")]) for s in stages]
    heads = [tensors[f"{prefix}{s}.0.attn.relative_position_bias_table"].shape[1] for s in stages]
    hidden, classes = tensors["MLP.linear1.weight"].shape[0], tensors["MLP.linear2.weight"].shape[0]
    network = CMUSNet(tensors[prefix + "0.0.weight"].shape[0], depths, heads, image_size, classes, 4, hidden).eval()
    missing, unexpected = network.load_state_dict({n: torch.from_numpy(t.copy()) for n, t in tensors.items()}, strict=False)
    missing = [n for n in missing if not n.endswith("relative_position_index")]
    if missing or unexpected:
        sys.exit(f"{weights}: not the tensors of this network: missing {missing}, unexpected {unexpected}")
    return network


def grad_cam(maps, gradient):
    """Equations 1 and 2 of Grad-CAM: [images, N, C] twice -> [images, side, side]."""
    heat = (maps * gradient.mean(1, keepdim=True)).sum(2).relu()
    side = round(heat.shape[1] ** 0.5)
    return heat.reshape(-1, side, side).numpy()


def explain_case(network, tem, om, im):
    """Logits of the fusion, heat by modality; gradients go through TEM's weights in the bag and through CMSA."""
    import torch
    from cmusnet_reference import instance_weights

    with torch.no_grad():
        maps = {"TEM": network.TEM_encoder(tem).flatten(1, 2), "OM": network.OM_encoder(om[None]).flatten(1, 2),
                "IM": network.IM_encoder(im[None]).flatten(1, 2)}
    weights, _ = instance_weights(maps["TEM"], network.threshold)
    for a in maps.values():
        a.requires_grad_(True)
    t = (maps["TEM"] * weights.to(maps["TEM"])[:, None, None]).sum(0)
    o = maps["OM"][0] + network.CrossAttn(t, maps["OM"][0])
    i = maps["IM"][0] + network.CrossAttn(t, maps["IM"][0])
    fused = torch.cat([t, o, i], -1).mean(0)
    logits = network.MLP["linear2"](torch.relu(network.MLP["linear1"](fused)))
    logits.max().backward()
    return logits.detach().numpy(), {name: grad_cam(a.detach(), a.grad) for name, a in maps.items()}


def held_out(data, fold):
    """The case names of a fold."""
    with open(os.path.join(data, "splits.csv"), newline="") as file:
        return {row["case_id"] for row in csv.DictReader(file) if row["fold"] == fold and row["repeat"] in ("", "0")}


def read_cases(data, wanted):
    """(name, label, TEM, OM, IM) of the wanted cases; images as bytes [.., S, S, channels]."""
    import h5py

    for path in sorted(glob.glob(os.path.join(glob.escape(data), "shard-*.h5"))):
        with h5py.File(path, "r") as shard:
            names = [n.decode() if isinstance(n, bytes) else n for n in shard["case_id"][:]]
            offsets = shard["tem_offset"][:]
            for c, name in enumerate(names):
                if name in wanted:
                    yield name, int(shard["label"][c]), shard["tem"][offsets[c]:offsets[c + 1]], shard["om"][c], shard["im"][c]


def torch_explained(data, fold, weights, max_tem):
    """As read_explained(), of one file of weights."""
    import torch

    with open(os.path.join(data, "dataset.json")) as file:
        described = json.load(file)
    network = reference_network(weights, described["image_size"])
    mean, deviation = (torch.tensor(a)[:, None, None] for a in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    prepare = lambda a: (torch.from_numpy(a / np.float32(255)).movedim(-1, -3).expand(*a.shape[:-3], 3, -1, -1) - mean) / deviation
    cases = {}
    for name, label, tem, om, im in read_cases(data, held_out(data, fold)):
        logits, heat = explain_case(network, prepare(tem[:max_tem]), prepare(om), prepare(im))
        cases[name] = (described["classes"][label], described["classes"][int(logits.argmax())], heat)
    return cases


# ---------------------------------------------------------------- the measure

def dilate(mask, radius):
    """Every pixel that is at most `radius` away from one of the mask."""
    height, width = mask.shape
    padded = np.pad(mask, radius)
    made = np.zeros_like(mask)
    for y in range(-radius, radius + 1):
        reach = int((radius * radius - y * y) ** 0.5)
        row = np.cumsum(np.pad(padded[radius + y:radius + y + height].astype(np.int32), ((0, 0), (1, 0))), axis=1)
        left = radius - reach
        made |= row[:, left + 2 * reach + 1:][:, :width] - row[:, left:][:, :width] > 0
    return made


def enlarge(heat, size, token):
    """Bilinear to `token` px a token, as torch's interpolate(align_corners=False), cut to the image."""
    side = len(heat)
    at = np.clip((np.arange(size) + 0.5) / token - 0.5, 0, side - 1)
    low = np.minimum(at.astype(int), max(side - 2, 0))
    matrix = np.zeros((size, side))
    matrix[np.arange(size), low] = 1 - (at - low)
    if side > 1:
        matrix[np.arange(size), low + 1] = at - low
    return matrix @ heat @ matrix.T


def measure_image(args, row, heat):
    """(area of the dilated mask, heat in it, all heat), or None without a deposit or without heat."""
    if not row["mask"] or heat.max() <= 0:
        return None
    mask = np.asarray(Image.open(os.path.join(args.phantom, row["mask"]))) > 0
    if not mask.any():
        return None
    mask = dilate(mask, args.radius)
    pixels = enlarge(heat.astype(np.float64), len(mask), args.token)
    return mask.mean(), pixels[mask].sum(), pixels.sum()


def measure(args, truth, cases, counted, modality):
    """Rows (class, area, heat inside, heat) of the images of the counted cases."""
    rows = []
    for name in counted:
        images = truth[name][modality]
        label, _, heat = cases[name]
        scale = max(heat[modality].max(), 1e-30)  # each case counts alike, as its colours do
        if len(heat[modality]) > len(images):
            sys.exit(f"{name}: {len(heat[modality])} maps, but {len(images)} {modality} images")
        for row, one in zip(images, heat[modality]):
            measured = measure_image(args, row, one / scale)
            if measured:
                rows.append((label, *measured))
    return rows


def summary(rows):
    """Images, area, share of heat inside, its ratio, mean ratio of the images, its standard error."""
    if not rows:
        return None
    area, inside, heat = (np.array(a) for a in zip(*[row[1:] for row in rows]))
    each = inside / heat / area
    return len(rows), area.mean(), inside.sum() / heat.sum(), inside.sum() / heat.sum() / area.mean(), each.mean(), each.std() / len(each) ** 0.5


def print_table(args, networks, truth, counted):
    print("| network | images of | dilated mask | n | area | in mask | ratio | ratio of each image, mean +- SE |")
    print("|---|---|---|---|---|---|---|---|")
    for modality in MODALITIES:
        for label, cases in networks:
            every = measure(args, truth, cases, counted, modality)
            for selected, limit in ((f"<= {args.area:.0%}", args.area), ("any", 1.0)):
                for classes in (("MN", "IgAN"), ("MN",), ("IgAN",)):
                    found = summary([r for r in every if r[1] <= limit and r[0] in classes])
                    if found:
                        n, area, share, ratio, mean, error = found
                        print(f"| {label} | {modality} {'+'.join(classes)} | {selected} | {n} | {area:.3f} | {share:.3f} | {ratio:.2f} | {mean:.2f} +- {error:.2f} |")


def overlay(args, row, heat, path):
    """The image; beside it with heat in red and the dilated mask's border in green."""
    gray = Image.open(os.path.join(args.phantom, row["file"])).convert("RGB")
    plain = np.asarray(gray).astype(float)
    pixels = enlarge(heat.astype(float), len(plain), args.token)
    pixels /= max(pixels.max(), 1e-30)
    coloured = plain * (1 - 0.6 * pixels[..., None]) + np.array([255, 0, 0]) * 0.6 * pixels[..., None]
    if row["mask"]:
        mask = dilate(np.asarray(Image.open(os.path.join(args.phantom, row["mask"]))) > 0, args.radius)
        coloured[dilate(mask, 1) ^ mask] = (0, 255, 0)
    Image.fromarray(np.concatenate([plain, coloured], 1).astype(np.uint8)).save(path)


# ---------------------------------------------------------------- command

def largest_difference(a, b):
    """Of all heat of two results, where the largest heat of a case is 1."""
    scaled = lambda heat: heat / max(heat.max(), 1e-30)
    return max(float(np.abs(scaled(a[name][2][m]) - scaled(b[name][2][m])).max()) for name in a for m in MODALITIES)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phantom", help="folder of cmus-phantom")
    parser.add_argument("networks", nargs="+", help="folders of cmus-predict --explain; with --torch files of weights")
    parser.add_argument("--torch", metavar="DATA", help="the packed data set whose heat PyTorch computes")
    parser.add_argument("--against", metavar="OUT", help="with --torch: compare with what cmus-predict found, map by map")
    parser.add_argument("--fold", default="0", help="with --torch: the held-out fold (0)")
    parser.add_argument("--max-tem", type=int, default=5, help="with --torch: TEM images of a case (5)")
    parser.add_argument("--radius", type=int, default=16, help="pixels by which masks are dilated (16)")
    parser.add_argument("--token", type=float, default=PATCH * 2**MERGES, help="pixels of the masks that a token is wide (32)")
    parser.add_argument("--area", type=float, default=0.2, help="largest dilated mask of the selection (0.2)")
    parser.add_argument("--overlays", metavar="DIR", help="pictures of the first network's TEM heat")
    args = parser.parse_args()
    truth = read_truth(args.phantom)
    read = (lambda path: torch_explained(args.torch, args.fold, path, args.max_tem)) if args.torch else read_explained
    results = [(path, read(path)) for path in args.networks]
    cases = results[0][1]
    counted = [n for n, (label, predicted, _) in cases.items() if label == predicted and label in ("MN", "IgAN")]
    print(f"{sum(l == p for l, p, _ in cases.values())} of {len(cases)} cases right, {len(counted)} of them MN or IgAN\n")
    if args.against:
        other = read_explained(args.against)
        if {n: c[:2] for n, c in other.items()} != {n: c[:2] for n, c in cases.items()}:
            sys.exit(f"{args.against}: other cases or other predicted classes")
        worst = largest_difference(cases, other)
        print(f"largest difference to {args.against}, where the largest heat of a case is 1: {worst:.1e}\n")
        if not worst < AGREE:
            sys.exit("the heat differs")
    print_table(args, [("trained" if i == 0 else f"random {i}", c) for i, (_, c) in enumerate(results)], truth, counted)
    if args.overlays:
        os.makedirs(args.overlays, exist_ok=True)
        for name in counted:
            for i, (row, one) in enumerate(zip(truth[name]["TEM"], cases[name][2]["TEM"])):
                if one.max() > 0:
                    overlay(args, row, one, os.path.join(args.overlays, f"{name.replace('/', '-')}-{i}.png"))


if __name__ == "__main__":
    main()
