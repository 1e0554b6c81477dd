#!/usr/bin/env python3
"""Cases of small JPEG images, all different: pack_cases.py DIR IMAGES SIDE, ten images a case, classes A and B."""
import sys
from pathlib import Path

import numpy as np
from PIL import Image

folder, images, side = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(1)
for number in range(images // 10):
    case = folder / "AB"[number % 2] / f"p{number:05d}"
    case.mkdir(parents=True)
    for i in range(10):
        name = ("OM_1", "IM_1")[i] if i < 2 else f"TEM_{i - 1}"
        small = random.integers(0, 256, (8, 8, 3) if i < 2 else (8, 8), dtype=np.uint8)
        Image.fromarray(small).resize((side, side), Image.BICUBIC).save(case / f"{name}.jpg", quality=80)
