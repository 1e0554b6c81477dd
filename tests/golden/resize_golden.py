#!/usr/bin/env python3
"""Writes resize_golden.h: SHA-256 of what Pillow's Image.resize() makes of generated images.

The images come from the formula in pattern(), which tests/unit/test_resize.c repeats.
    python3 tests/golden/resize_golden.py > tests/golden/resize_golden.h
"""
import hashlib
import PIL
from PIL import Image

FILTERS = {"CMUS_BILINEAR": Image.BILINEAR, "CMUS_BOX": Image.BOX, "CMUS_BICUBIC": Image.BICUBIC,
           "CMUS_LANCZOS": Image.LANCZOS}

# (width, height, channels) -> (width, height): shrinking, growing, one axis kept, extreme shapes
CASES = [
    ((640, 480, 3), (224, 224)), ((640, 480, 1), (224, 224)), ((37, 23, 3), (224, 224)), ((224, 224, 3), (224, 224)),
    ((224, 300, 3), (224, 224)), ((300, 224, 1), (224, 224)), ((1, 1, 3), (16, 16)), ((1, 700, 1), (9, 5)),
    ((1000, 2, 3), (31, 17)), ((1021, 769, 3), (64, 64)), ((225, 223, 3), (224, 224)), ((5, 5, 1), (1, 1)),
    ((7, 9, 3), (1000, 3)), ((1, 333, 3), (224, 224)), ((333, 1, 1), (224, 224)), ((129, 65, 1), (1001, 7)),
    ((101, 97, 3), (303, 291)), ((448, 448, 3), (224, 224)), ((97, 640, 1), (13, 1280)), ((63, 64, 3), (62, 65)),
]
LARGE = [((3744, 2444, 3), (224, 224)), ((2444, 3744, 1), (223, 301))]


def pattern(width, height, channels):
    """A linear congruential sequence, so with sharp edges; every third row is black or white."""
    state, data = width * 65536 + height, bytearray()
    for y in range(height):
        for _ in range(width * channels):
            state = (state * 1664525 + 1013904223) % 2**32
            data.append((0 if y % 2 else 255) if y % 3 == 2 else state >> 24)
    return bytes(data)


print("/* Made by resize_golden.py with Pillow %s: filter, width, height, channels, new width, new height, SHA-256. */"
      % PIL.__version__)
for (width, height, channels), size in CASES + LARGE:
    image = Image.frombytes("RGB" if channels == 3 else "L", (width, height), pattern(width, height, channels))
    for name, number in FILTERS.items():
        digest = hashlib.sha256(image.resize(size, number).tobytes()).hexdigest()
        print('{%s, %d, %d, %d, %d, %d, "%s"},' % (name, width, height, channels, *size, digest))
