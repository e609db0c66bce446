# SPDX-License-Identifier: Apache-2.0
"""What prelude_generate wrote, as arrays: each folder is decoded once into memory-mapped files beside it."""
import json
import os
import pathlib

import numpy as np
from PIL import Image

SIDE = 128
WORDS = SIDE * SIDE // 8  # bytes of one packed mask


def runs_of(segmentation):
    """COCO run lengths, columns first: a list of numbers (uncompressed) or a string (compressed)."""
    counts = segmentation["counts"]
    if not isinstance(counts, str):
        return counts
    runs, value, shift = [], 0, 0
    for character in counts:
        piece = ord(character) - 48
        value |= (piece & 31) << shift
        shift += 5
        if piece & 32:
            continue
        if piece & 16:
            value |= -1 << shift
        if len(runs) > 2:
            value += runs[-2]
        runs.append(value)
        value = shift = 0
    return runs


def decode_mask(segmentation):
    height, width = segmentation["size"]
    runs = runs_of(segmentation)
    return np.repeat(np.arange(len(runs), dtype=np.uint8) & 1, runs).reshape(width, height).T


class Folder:
    """images [N,128,128,3] uint8 (padded with zeros), sizes [N,2] (height, width), first [N+1] (instances of picture i are
    first[i]..first[i+1]), masks [M,2048] packed, boxes [M,4] tight, prompts [M,10] = jittered box, point, positive, negative."""

    _names = ("images", "sizes", "first", "masks", "boxes", "prompts")

    def __init__(self, path):
        self.path = pathlib.Path(path)
        cache = self.path / "cache"
        if not cache.is_dir():
            self._decode(self.path / "cache.tmp")
            os.rename(self.path / "cache.tmp", cache)
        for name in self._names:
            setattr(self, name, np.load(cache / f"{name}.npy", mmap_mode="r" if name in ("images", "masks") else None))

    def __len__(self):
        return len(self.sizes)

    def _decode(self, cache):
        cache.mkdir(exist_ok=True)
        document = json.load(open(self.path / "instances.json"))
        of_image = {}
        for annotation in document["annotations"]:
            of_image.setdefault(annotation["image_id"], []).append(annotation)
        records = document["images"]
        images = np.zeros((len(records), SIDE, SIDE, 3), np.uint8)
        sizes, first, masks, boxes, prompts = [], [0], [], [], []
        for i, record in enumerate(records):
            picture = np.asarray(Image.open(self.path / "images" / record["file_name"]).convert("RGB"))
            height, width = picture.shape[:2]
            images[i, :height, :width] = picture
            sizes.append((height, width))
            for annotation in of_image.get(record["id"], []):
                mask = np.zeros((SIDE, SIDE), np.uint8)
                mask[:height, :width] = decode_mask(annotation["segmentation"])
                masks.append(np.packbits(mask))
                x, y, w, h = annotation["bbox"]
                boxes.append((x, y, x + w, y + h))
                given = annotation["prelude_prompts"]
                prompts.append(given["box"] + [int(v) for key in ("point", "positive", "negative") for v in given[key]])
            first.append(len(masks))
        arrays = (images, np.array(sizes, np.int32), np.array(first, np.int32), np.array(masks),
                  np.array(boxes, np.float32), np.array(prompts, np.float32))
        for name, array in zip(self._names, arrays):
            np.save(cache / f"{name}.npy", array)

    def mask(self, instance):
        return np.unpackbits(self.masks[instance]).reshape(SIDE, SIDE)


def folders(root, split, kind):
    """Finished folders of the form SPLIT-KIND-NNN; one whose name ends in .tmp is still being written."""
    return sorted(p for p in pathlib.Path(root).glob(f"{split}-{kind}-*") if (p / "instances.json").exists() and p.suffix != ".tmp")
