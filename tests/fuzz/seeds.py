#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py OUT: collects the fuzzers' seeds from the test data into OUT/safetensors, OUT/pth (archives and bare pickles) and OUT/coco;
writes small dumps of every format into OUT/dump."""
import sys
import zipfile
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
LIMIT = 64 << 10  # small seeds mutate better


def main(out):
    for kind in ("safetensors", "pth"):
        folder = Path(out) / kind
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(DATA.rglob("*." + kind)):
            content = path.read_bytes()
            if len(content) <= LIMIT:
                (folder / path.name).write_bytes(content)
            if kind == "pth" and zipfile.is_zipfile(path):
                try:
                    with zipfile.ZipFile(path) as archive:
                        for name in archive.namelist():
                            if name.endswith("data.pkl"):
                                (folder / (path.stem + ".pkl")).write_bytes(archive.read(name))
                except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
                    pass  # broken on purpose
    folder = Path(out) / "coco"
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted([*(DATA / "bad" / "coco").glob("*.json"), *(DATA / "bad" / "coco").glob("*.boxes"), *(DATA / "bad" / "coco").glob("*.masks"),
                        *(DATA / "golden" / "coco").glob("*.json")]):
        (folder / path.name).write_bytes(path.read_bytes())
    folder = Path(out) / "dump"
    folder.mkdir(parents=True, exist_ok=True)
    npy = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }".ljust(117) + b"\n" + bytes(12)
    dumps = [npy, bytes(range(16)), b"// words\n@0 12 3f x\n@4 7_f\n", b"# words\n1 -2, 3.0 4e1\n", b"[[[runtime]]]\n[[transaction]] 0\n0x0f\n[[/transaction]]\n[[[/runtime]]]\n",
             b"/* w */ const int w[2][1] = {{1}, {-0x2u}};\n", bytes(8) + b"\x5a\x5a\xa5\xa5\x0f\x0f\xf0\xf0",
             b'{"format": "prelude.tensor/1", "name": "t", "role": "output", "shape": [2, 3], "channel_axis": 1, "coordinates": [["token", 2], ["channel", 3]], "bits": 8, '
             b'"signed": true, "kind": "code", "scale": [0.5], "zero_point": [1], "sha256": ""}', b'{"format": "prelude.expected/1"}', b'{"format": "prelude.baseline/1", "design": "d", "terms": {"csynth.dsp": 3}}']
    for number, dump in enumerate(dumps):
        (folder / str(number)).write_bytes(bytes([number, 15 | 64]) + dump)


if __name__ == "__main__":
    main(sys.argv[1])
