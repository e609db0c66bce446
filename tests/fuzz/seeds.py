#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py OUT: collects the fuzzers' seeds from the test data into OUT/safetensors, OUT/pth (archives and bare pickles) and OUT/coco."""
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


if __name__ == "__main__":
    main(sys.argv[1])
