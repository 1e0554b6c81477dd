#!/usr/bin/env python3
"""make_explain_golden.py [FILE.h5]: Grad-CAM and attention of the reference network, by PyTorch's autograd in float64.

Weights and images are those of cmusnet_reference.py's noise. The attribute `preset` is that of its golden files; then,
for each form of the attention and case c (float32), heads in the order TEM, OM, IM, fusion:
    <form>/case<c>/heat         [heads][classes][TEM images + 2][tokens]: TEM images, OM, IM
    <form>/case<c>/attention    [2][tokens]: OM, IM; mean over the queries and the softmaxes
    <form>/case<c>/logits       [heads][classes]
enlarged/<size>: the map `enlarged/map` on size x size pixels, every 5th of them (torch.nn.functional.interpolate).
Needs what cmusnet_reference.py needs.
"""
import json
import os
import sys

import h5py
import numpy as np
import torch

from cmusnet_reference import CMUSNet, LOSS_WEIGHTS, PRESETS, load_noise, noise, noise_case

SEED, THRESHOLD, BAGS, PRESET = 3, 1.5, [5, 1, 2], PRESETS["tiny"]
HEADS = ("tem", "om", "im", "fusion")


class Watch:
    """Notes the maps that leave the encoders, and what the attention was given, in every pass of a model."""

    def __init__(self, model):
        self.maps, self.pairs = {}, []
        encode = model.encode

        def noted(encoder, images, modality):
            self.maps[modality] = encode(encoder, images, modality).requires_grad_()
            return self.maps[modality]

        model.encode = noted
        model.CrossAttn.register_forward_hook(lambda module, inputs, _: self.pairs.append(inputs))

    def forget(self):
        self.maps.clear()
        self.pairs.clear()


def heat(maps, gradient):
    """[images][tokens] from maps and gradients [images][tokens][channels]."""
    if gradient is None:
        return torch.zeros(maps.shape[:2])
    return torch.relu((gradient.mean(1, keepdim=True) * maps).sum(-1))


def attention(module, tem, other):
    q, k = module.W_q(tem), module.W_k(other)
    if module.form == "multihead":
        q, k = (a.reshape(len(a), module.heads, -1).transpose(0, 1) for a in (q, k))
    else:
        q, k = q[None], k[None]
    return (q @ k.transpose(1, 2) * module.scale).softmax(-1).mean((0, 1))


def write_case(group, model, watch, c, bag):
    watch.forget()
    out = model(*(torch.from_numpy(a) for a in noise_case(SEED, c, bag, PRESET["image"], False)))
    maps = [watch.maps[m] for m in ("tem", "om", "im")]
    heats = [[torch.cat([heat(m, g) for m, g in zip(maps, torch.autograd.grad(
        out[head][k], maps, retain_graph=True, allow_unused=True))]) for k in range(PRESET["classes"])] for head in HEADS]
    values = torch.stack([torch.stack(of_head) for of_head in heats]).detach().numpy().astype(np.float32)
    group.create_dataset("heat", data=values, compression="gzip", shuffle=True)
    looked = torch.stack([attention(model.CrossAttn, *pair) for pair in watch.pairs])
    group["attention"] = looked.detach().numpy().astype(np.float32)
    group["logits"] = torch.stack([out[head] for head in HEADS]).detach().numpy().astype(np.float32)


def write_enlarged(file):
    side = 7
    values = noise(SEED, "enlarged", (side, side))
    file["enlarged/map"] = values
    whole = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], size=(32 * side, 32 * side),
                                            mode="bilinear", align_corners=False)[0, 0].numpy()
    for size in (32 * side, 32 * side - 28):
        file[f"enlarged/{size}"] = whole[:size:5, :size:5].astype(np.float32)


def main(path):
    torch.set_default_dtype(torch.float64)
    with h5py.File(path, "w") as file:
        file.attrs["preset"] = json.dumps({
            **PRESET, "seed": SEED, "threshold": THRESHOLD, "lr": 0, "weight_decay": 0, "drop_path": 0, "dropout": 0,
            "attention": "cmsa", "loss_weights": LOSS_WEIGHTS, "bags": BAGS, "labels": [0] * len(BAGS),
            "reverse": False, "steps": 1})
        for form in ("cmsa", "multihead"):
            model = CMUSNet(**PRESET, threshold=THRESHOLD, attention=form).eval()
            load_noise(model, SEED)
            watch = Watch(model)
            for c, bag in enumerate(BAGS):
                write_case(file.create_group(f"{form}/case{c}"), model, watch, c, bag)
        write_enlarged(file)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "explain.h5"))
