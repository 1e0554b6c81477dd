"""weights_names.py PROGRAM: random Swin Transformers in the names and number types of several libraries, as PyTorch and
as safetensors files, loaded by PROGRAM (encoder_features); its features against those of torchvision's network with the
same weights.  Prints what differs; exit code 1 if anything does."""
import json
import re
import struct
import subprocess
import sys

import numpy as np
import torch
from torch.nn.functional import interpolate
from torchvision.models.swin_transformer import SwinTransformer

ENCODERS = ("TEM_encoder", "OM_encoder", "IM_encoder")
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
TOLERANCE = 1e-4  # of the largest feature
program = sys.argv[1]
failures = 0


def fail(name, text):
    global failures
    failures += 1
    print(f"FAILED: {name}: {text}")


def make_swin(sizes, seed, window=7):
    """All parameters random, so that each matters."""
    torch.manual_seed(seed)
    swin = SwinTransformer([4, 4], sizes["embed"], sizes["depths"], sizes["heads"], [window, window], num_classes=10)
    with torch.no_grad():
        for name, p in swin.named_parameters():
            u = torch.rand_like(p) * 2 - 1
            if name.endswith("bias_table"):
                # smooth, as trained tables are, and large enough to be seen in the attention
                side = 2 * window - 1
                coarse = torch.randn(1, p.shape[1], 5, 5)
                p.copy_(interpolate(coarse, size=(side, side), mode="bilinear").reshape(p.shape[1], -1).T)
            elif p.dim() == 1:
                p.copy_(1 + 0.1 * u if name.endswith("weight") else 0.1 * u)
            else:
                p.copy_(u * (3 / p[0].numel()) ** 0.5)
    return swin.eval()


def features_of(swin, image):
    with torch.no_grad():
        return swin.norm(swin.features(image[None]))[0].reshape(-1, swin.norm.normalized_shape[0]).numpy()


# ---------------------------------------------------------------- names

def timm_names(state, new, buffers, window=7):
    """timm's names, from the text of timm/models/swin_transformer.py: blocks of stage i are layers.i.blocks.j; old files
    have the merging behind stage i in layers.i, new ones in front of the stage that it leads to."""
    out = {}
    for name, value in state.items():
        words = name.split(".")
        rest = ".".join(words[2:])
        if words[0] == "head":
            renamed = ("head.fc." if new else "head.") + words[1]
        elif words[0] == "norm":
            renamed = name
        elif words[1] == "0":
            renamed = "patch_embed." + {"0": "proj", "2": "norm"}[words[2]] + "." + words[3]
        elif int(words[1]) % 2:
            rest = rest.replace("mlp.0", "mlp.fc1").replace("mlp.3", "mlp.fc2")
            renamed = f"layers.{int(words[1]) // 2}.blocks.{rest}"
        else:
            behind = {"2": 0, "4": 1, "6": 2}[words[1]]
            renamed = f"layers.{behind + 1 if new else behind}.downsample.{rest}"
        if renamed.endswith("relative_position_index"):
            if not buffers:
                continue
            value = value.reshape(window * window, window * window)
        out[renamed] = value
    if buffers:
        out["layers.0.blocks.1.attn_mask"] = torch.zeros(64, window * window, window * window)
    return out


def network_names(swins, buffers):
    """The authors' names: each encoder is nn.Sequential(swin.features, swin.norm)."""
    out = {}
    for encoder, swin in swins.items():
        for name, value in swin.state_dict().items():
            if name.startswith("head.") or (not buffers and name.endswith("relative_position_index")):
                continue
            out[encoder + "." + re.sub("^features", "0", re.sub("^norm", "1", name))] = value
    return out


# ---------------------------------------------------------------- files

def cast(state, dtype):
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}


def raw(value):
    return (value.contiguous().view(torch.int16) if value.dtype == torch.bfloat16 else value.contiguous()).numpy().tobytes()


def write_safetensors(path, state):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in state.items():
        content = raw(value.detach())
        header[name] = {"dtype": TYPES[value.dtype], "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def write(path, state, wrap=None, zipped=True):
    if path.endswith(".safetensors"):
        write_safetensors(path, state)
    else:
        torch.save({wrap: state, "epoch": 300} if wrap else state, path, _use_new_zipfile_serialization=zipped)
    return path


# ---------------------------------------------------------------- checks

def load(path, sizes):
    """Features of the three encoders, what the program printed, and its message if it failed."""
    arguments = [program, path, "image.raw", "features.raw", str(sizes["image"]), str(sizes["embed"])]
    arguments += [",".join(map(str, sizes[key])) for key in ("depths", "heads")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    if done.returncode:
        return None, done.stdout, done.stderr.strip()
    return np.fromfile("features.raw", np.float32).reshape(3, -1, 8 * sizes["embed"]), done.stdout, ""


def compare(name, path, sizes, expected, *texts):
    """expected: features of the encoders; of one that is None, any but the others' are right."""
    got, output, error = load(path, sizes)
    if got is None:
        return fail(name, error)
    for text in texts:
        if text not in output:
            fail(name, f"'{text}' is not in '{output}'")
    if not texts and "warning" in output:
        fail(name, output)
    worst = 0
    for encoder, features, reference in zip(ENCODERS, got, expected):
        if reference is None:
            continue
        worst = max(worst, np.abs(features - reference).max() / np.abs(reference).max())
    if not worst <= TOLERANCE:
        fail(name, f"features differ by {worst:.3g} of the largest")
    print(f"{name}: {worst:.2g}")


def refuse(name, path, sizes, *texts):
    got, _, error = load(path, sizes)
    if got is not None:
        return fail(name, "was accepted")
    for text in (path, *texts):
        if text not in error:
            fail(name, f"'{text}' is not in '{error}'")


def make_image(size):
    image = torch.randn(3, size, size, generator=torch.Generator().manual_seed(5))
    image.numpy().tofile("image.raw")
    return image


def check_names(sizes, image):
    swin = make_swin(sizes, 1)
    state = swin.state_dict()
    same = [features_of(swin, image)] * 3
    compare("torchvision, zip", write("a.pth", state), sizes, same)
    compare("torchvision, before 1.6", write("b.pth", state, zipped=False), sizes, same)
    compare("torchvision, safetensors", write("c.safetensors", state), sizes, same)
    old, new = timm_names(state, False, True), timm_names(state, True, False)
    compare("Microsoft", write("d.pth", old, wrap="model"), sizes, same)
    compare("timm old without buffers", write("e.safetensors", timm_names(state, False, False)), sizes, same)
    compare("timm", write("f.safetensors", new), sizes, same)
    compare("timm with buffers", write("g.pth", timm_names(state, True, True), wrap="state_dict"), sizes, same)
    wrapped = {"module.model." + name: value for name, value in new.items()}
    compare("timm behind two prefixes", write("h.pth", wrapped), sizes, same)
    return swin


def check_types(sizes, image, swin):
    original = {name: value.clone() for name, value in swin.state_dict().items()}
    for dtype, path in ((torch.float16, "i.pth"), (torch.float16, "i.safetensors"), (torch.bfloat16, "j.pth"),
                        (torch.bfloat16, "j.safetensors"), (torch.float64, "k.pth"), (torch.float64, "k.safetensors")):
        state = cast(original, dtype)
        swin.load_state_dict(cast(state, torch.float32))
        write(path, timm_names(state, False, True))
        compare(f"{dtype} in {path}", path, sizes, [features_of(swin, image)] * 3)
    swin.load_state_dict(original)


def check_network(sizes, image):
    swins = {encoder: make_swin(sizes, 2 + i) for i, encoder in enumerate(ENCODERS)}
    own = [features_of(swin, image) for swin in swins.values()]
    write("l.pth", network_names(swins, True))
    compare("the authors'", "l.pth", sizes, own, "warning: CrossAttn begins at random")
    write("m.safetensors", {"module." + n: v for n, v in network_names(swins, False).items()})
    compare("the authors', without buffers", "m.safetensors", sizes, own, "warning: CrossAttn begins at random")
    write("n.pth", network_names({"OM_encoder": swins["OM_encoder"]}, True))
    compare("one encoder", "n.pth", sizes, [None, own[1], None], "warning: TEM_encoder begins at random; IM_encoder begins")


def check_windows(sizes, image):
    """The tables of a window of 12, made smaller by PyTorch."""
    for window in (12, 5):
        large, small = make_swin(sizes, 8, window), make_swin(sizes, 9)
        state = large.state_dict()
        resized = {name: value for name, value in state.items() if not name.endswith("relative_position_index")}
        for name, table in resized.items():
            if name.endswith("bias_table"):
                side = 2 * window - 1
                grid = table.T.reshape(1, -1, side, side)
                resized[name] = interpolate(grid, size=(13, 13), mode="bicubic").reshape(-1, 169).T
        small.load_state_dict(resized, strict=False)
        write("o.pth", timm_names(state, False, True, window), wrap="model")
        compare(f"window {window}", "o.pth", sizes, [features_of(small, image)] * 3,
                f"; {3 * sum(sizes['depths'])} bias tables resized")


def check_refusals(sizes, swin):
    state = swin.state_dict()
    deeper = dict(sizes, depths=[1, 2, 4, 1])
    refuse("shallower", "a.pth", deeper, "'features.5.3.norm1.weight'", "depths: [1, 2, 3, 1], heads: [1, 2, 4, 8]; set these keys")
    refuse("deeper", "f.safetensors", dict(sizes, depths=[1, 2, 2, 1]), "'layers.2.blocks.2.", "depths: [1, 2, 3, 1]")
    write("p.pth", {name: value for name, value in state.items() if name != "features.4.norm.bias"})
    refuse("in part", "p.pth", sizes, "'features.4.norm.bias'", "missing")
    write("q.pth", dict(state, **{"norm.bias": torch.full_like(state["norm.bias"], float("nan"))}))
    refuse("not finite", "q.pth", sizes, "'norm.bias'", "nan")
    write("r.pth", dict(state, **{"features.1.0.attn.logit_scale": torch.zeros(1)}))
    refuse("Swin V2", "r.pth", sizes, "Swin Transformer V2")
    write("s.pth", {"features.0.weight": torch.zeros(3)})
    refuse("another network", "s.pth", sizes, "neither this network nor a Swin Transformer")


def check_published():
    """A network of published sizes, and the message for another one of them."""
    tiny = dict(embed=96, depths=[2, 2, 6, 2], heads=[3, 6, 12, 24], image=64)
    image = make_image(tiny["image"])
    swin = make_swin(tiny, 20)
    write("swin_t.pth", swin.state_dict())
    compare("swin_t", "swin_t.pth", tiny, [features_of(swin, image)] * 3)
    refuse("swin_t for swin_s", "swin_t.pth", dict(tiny, depths=[2, 2, 18, 2]), "'features.5.6.norm1.weight'",
           "the file is a swin_t (depths 2 2 6 2, embed_dim 96); set encoder: swin_t")


torch.set_num_threads(1)
small = dict(embed=16, depths=[1, 2, 3, 1], heads=[1, 2, 4, 8], image=96)
picture = make_image(small["image"])
first = check_names(small, picture)
check_types(small, picture, first)
check_network(small, picture)
check_windows(small, picture)
check_refusals(small, first)
check_published()
sys.exit(failures > 0)
