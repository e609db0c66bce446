#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes pillow.txt: hashes of pictures resized by Pillow's bilinear filter. Run with Pillow 9.4 (Debian: python3-pil)."""
import pathlib

from PIL import Image

M = 0xFFFFFFFF


def value(kind, x, y, c):
    if kind == "noise":
        noise = ((x * 3 + c) * 2654435761 & M) ^ (y * 2246822519 & M)
        return (noise * 3266489917 & M) >> 24
    return (x + y) % 2 * 255 if kind == "checker" else (x * 7 + y * 3 + c * 50) % 256


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


SIZES = [  # in, out
    ((1, 1), (1, 1)), ((1, 1), (7, 5)), ((2, 1), (1, 1)), ((3, 2), (2, 3)), ((5, 5), (5, 5)), ((5, 7), (5, 3)), ((5, 7), (3, 7)), ((127, 1), (1, 1)),
    ((1, 127), (1, 2)), ((131, 67), (128, 65)), ((128, 128), (127, 127)), ((127, 127), (128, 128)), ((64, 64), (128, 128)), ((257, 3), (128, 1)),
    ((300, 211), (128, 90)), ((211, 300), (90, 128)), ((641, 479), (128, 96)), ((1023, 17), (128, 2)), ((17, 19), (128, 143)), ((97, 2), (31, 1)),
    ((499, 331), (1, 1)), ((2, 2), (129, 64)), ((400, 7), (399, 8)), ((50, 75), (49, 74)),
]

here = pathlib.Path(__file__).parent
with open(here / "pillow.txt", "w") as table:
    for kind in ("noise", "checker", "ramp"):
        for (w, h), size in SIZES:
            picture = bytes(value(kind, x, y, c) for y in range(h) for x in range(w) for c in range(3))
            resized = Image.frombytes("RGB", (w, h), picture).resize(size, Image.BILINEAR)
            print(kind, w, h, *size, f"{fnv1a(resized.tobytes()):016x}", file=table)
