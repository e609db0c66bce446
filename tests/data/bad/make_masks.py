#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the broken folders of pictures and masks in tests/data/bad/masks: NAME/images, NAME/masks.

Beside every folder stands NAME.expected, the complete message with {folder} for its path
(scripts/update_expected_texts.sh rewrites them). The same program writes the same bytes. Standard library only.
"""
import struct
import zlib
from pathlib import Path

FOLDER = Path(__file__).parent / "masks"
WIDTH, HEIGHT = 7, 5
GREY, RGB = 0, 2


def png(width=WIDTH, height=HEIGHT, bits=8, kind=GREY, value=lambda x, y: 0):
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    sample = (lambda v: struct.pack(">H", v)) if bits == 16 else (lambda v: bytes([v]))
    pixel = lambda x, y: sample(value(x, y)) * (3 if kind == RGB else 1)
    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def write(name, content=b""):
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_files():
    picture = png(kind=RGB, value=lambda x, y: 30 * x + 5 * y)
    mask = png(value=lambda x, y: 255 if 1 < x < 5 and y > 2 else 0)
    write("folders-missing/.keep")
    write("masks-missing/images/a.png", picture)
    for name in ("a.png", "a.JPG", "b.bmp", "notes.txt", "folder/c.png"):
        write("other-files/images/" + name, picture)
    for name in ("a.png", "a.gif", "a_1.tif", "c.png", "c_1.png", "aa.png", "_a.png", "_.png", "c/1.png", "a/1.png", "a/2.jpg", "a/deeper/1.png"):
        write("other-files/masks/" + name, mask)
    for name in "abcdef":
        write(f"broken-files/images/{name}.png", picture)
    write("broken-files/images/g.png", b"no picture\n")
    write("broken-files/masks/a.png", b"")
    write("broken-files/masks/b.png", b"no picture\n")
    write("broken-files/masks/c.png", mask[:-30])
    write("broken-files/masks/d.png", b"\xff\xd8\xff\xe0\0\x10JFIF\0")
    write("broken-files/masks/e.png", mask[:20])
    write("broken-files/masks/f.png", png(bits=16, kind=RGB, value=lambda x, y: x))
    write("broken-files/masks/g.png", mask)
    for name, (width, height) in {"a": (HEIGHT, WIDTH), "b": (WIDTH, HEIGHT + 1), "c": (1, 1)}.items():
        write(f"sides/images/{name}.png", picture)
        write(f"sides/masks/{name}.png", png(width, height, value=lambda x, y: 1))
    header = bytearray(mask)
    header[16:24] = struct.pack(">II", 2**31 - 1, 2**31 - 1)
    write("sides/images/d.png", picture)
    write("sides/masks/d.png", bytes(header))
    write("soft-edge/images/a.png", picture)
    write("soft-edge/masks/a.png", png(value=lambda x, y: min(255, 60 * x)))
    large = png(67, 71, kind=RGB)
    write("too-many-labels/images/a.png", large)
    write("too-many-labels/masks/a.png", png(67, 71, bits=16, value=lambda x, y: x + 67 * y))
    write("nothing-to-ask-for/images/a.png", picture)
    write("nothing-to-ask-for/images/b.png", picture)
    write("nothing-to-ask-for/masks/b.png", png())
    write("nothing-to-ask-for/masks/b_2.png", png())


if __name__ == "__main__":
    make_files()
