#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the broken COCO files in tests/data/bad/coco: NAME.json, with a detector's
boxes NAME.boxes or masks NAME.masks beside it where those are broken.

Beside every file stands NAME.expected, the complete message with {file} and {folder} for paths
(scripts/update_expected_texts.sh rewrites them). The same program writes the same bytes. Standard library only.
"""
import json
import struct
import zlib
from pathlib import Path

FOLDER = Path(__file__).parent / "coco"
WIDTH, HEIGHT = 8, 6
RUNS = [7, 3, 38]


def write(name, content):
    content = content if isinstance(content, (bytes, str)) else json.dumps(content, indent=None)
    (FOLDER / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def png(width, height):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 30 + y * 5 + c * 9) % 256 for x in range(width) for c in range(3)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def image(**change):
    return {**{"id": 1, "file_name": "good.png", "width": WIDTH, "height": HEIGHT}, **change}


def annotation(**change):
    return {**{"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 0, "bbox": [1, 1, 1, 3], "area": 3,
               "segmentation": {"size": [HEIGHT, WIDTH], "counts": RUNS}}, **change}


def data(images=None, annotations=None, **change):
    return {"info": {"description": "test"}, "images": [image()] if images is None else images,
            "annotations": [annotation()] if annotations is None else annotations, "categories": [{"id": 3, "name": "thing"}], **change}


def numbered(entries):
    return [{**entry, "id": i + 1} for i, entry in enumerate(entries)]


def regions(*segmentations):
    return data(annotations=numbered(annotation(segmentation=s) for s in segmentations))


def without(entry, *keys):
    return {key: value for key, value in entry.items() if key not in keys}


def runs(counts, size=(HEIGHT, WIDTH)):
    return {"size": list(size), "counts": counts}


def make_files():
    good = json.dumps(data())
    write("empty.json", "")
    write("web-page.json", "<!DOCTYPE html><html><body>404</body></html>\n")
    write("git-lfs-pointer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 20\n")
    write("truncated.json", good[:len(good) // 2])
    write("text-after-it.json", good + "{}")
    write("not-utf8.json", good.encode().replace(b"good", b"\xff\xfe"))
    write("control-byte.json", good.replace("good", "go\nod"))
    write("top-is-a-list.json", [data()])
    write("top-is-a-number.json", "7")
    write("sections-missing.json", {"info": {}, "categories": []})
    write("sections-of-other-kinds.json", {"images": {"1": image()}, "annotations": "none", "categories": 4})
    write("entries-of-other-kinds.json", data(images=[image(), 7, [[1], {"id": 2}], None], annotations=[annotation(), "two", True]))
    write("section-twice.json", good[:-1] + ',"images":[]}')
    write("key-twice.json", good.replace('"width": 8', '"width": 8, "width": 9'))
    write("key-twice-inside.json", good.replace('"size": [6, 8]', '"size": [6, 8], "size": [8, 6]'))
    write("nested-deep.json", '{"images":' + '[' * 5000 + ']' * 5000 + '}')
    write("nested-deep-objects.json", '{"info":' + '{"a":' * 5000 + '1' + '}' * 5000 + '}')
    write("many-keys.json", '{"info":{' + ",".join(f'"{i}":0' for i in range(2000)) + '}}')
    write("number-too-large.json", good.replace('"width": 8', '"width": 1e999'))
    write("number-malformed.json", good.replace('"width": 8', '"width": 08'))
    write("image-fields-missing.json", data(images=[image(), {}, without(image(id=2), "width"), without(image(id=3), "file_name")]))
    write("image-fields-of-other-kinds.json", data(images=[image(id="1"), image(id=2, file_name=7, width="8", height=[6]), image(id=None)], annotations=[]))
    write("image-ids.json", data(images=[image(), image(), image(id=1.5), image(id=2**60)]))
    write("image-sides.json", data(images=[image(id=i, width=w, height=h) for i, (w, h) in
                                           enumerate([(0, 6), (-8, 6), (8.5, 6), (8, 16385), (16384, 16384), (1e18, 1)])], annotations=[]))
    names = ["../good.png", "/etc/passwd", "a/../../good.png", "..", "a\\good.png", "", "good\n.png", "\x1b[31mred", "a/" * 600 + "b.png"]
    write("path-traversal.json", data(images=[image(id=i, file_name=name) for i, name in enumerate(names)], annotations=[]))
    write("annotation-ids.json", data(annotations=[annotation(), annotation(), annotation(id=2, image_id=7), annotation(id=3, category_id=1),
                                                   annotation(id=-2**70), annotation(id=4, iscrowd=2)]))
    write("annotation-fields-missing.json", data(annotations=[{}, without(annotation(id=2), "image_id"), without(annotation(id=3), "segmentation"),
                                                              without(annotation(id=4), "category_id")]))
    write("category-ids.json", data(categories=[{"id": 3}, {"id": 3}, {"name": "thing"}, {"id": "3"}]))
    boxes = [[1, 1, 8, 2], [-2, 1, 2, 2], [1, 1, -1, 2], [1, 1, 1], [1, 1, 1, "2"], "1 1 1 1", [[1, 1, 1, 1]], [1e300, 1, 1e300, 1], None]
    write("boxes.json", data(annotations=numbered(annotation(bbox=box) for box in boxes)))
    write("areas.json", data(annotations=numbered(annotation(area=area) for area in [0, -1, "3", None, [3], 2.5])))
    write("category-names.json", data(categories=[{"id": 3, "name": 3}, {"id": 4, "name": None}, {"id": 5}]))
    write("segmentations-of-other-kinds.json", regions([], 5, "RLE", None, [1, 2, 3, 4, 5, 6], [[1, 2, 3, 4, 5, 6], 7], [7, [1, 2, 3, 4, 5, 6]],
                                                       [["1", 2, 3, 4, 5, 6]], [[[1, 2, 3, 4, 5, 6]]], [{"size": 1}], {}))
    write("polygons.json", regions([[1, 1, 5, 1]], [[1, 1, 5, 1, 5, 5, 1]], [[]], [[1, 1, 5, 1, 1e9, 5]], [[1, 1, 5, -6.5, 1, 5]], [[1, 1, 5, 1, 5, 5], [2, 2]]))
    write("polygon-too-long.json", data(images=[image(width=16000, height=4000)], annotations=[annotation(segmentation=[[0, 0, 15000, 3000] * 50])]))
    write("runs.json", regions(runs([7, 3, 37]), runs([7, 3, 39]), runs([]), runs([-7, 3, 52]), runs([7.5, 3, 37.5]), runs([49]), runs([2**32 + 48]), runs([[48]]),
                               runs(["48"]), runs(48), runs(None), {"size": [HEIGHT, WIDTH]}))
    write("runs-sizes.json", regions(runs(RUNS, (WIDTH, HEIGHT)), runs(RUNS, (HEIGHT,)), runs(RUNS, (0, 0)), runs(RUNS, (2**40, 2**40)), {"counts": RUNS},
                                     {"size": "6x8", "counts": RUNS}))
    write("runs-compressed.json", regions(runs(""), runs("7"), runs("73V1"), runs("73V1 "), runs("73o"), runs("oooooooooooo0"), runs("O"), runs("`1"), runs("\u00e9")))
    write("picture-missing.json", data(images=[image(file_name="nowhere.png"), image(id=2), image(id=3, file_name="sub/nowhere.jpg")],
                                       annotations=numbered(annotation(image_id=i) for i in (1, 2, 3))))
    write("picture-of-other-sides.json", data(images=[image(width=HEIGHT, height=WIDTH)], annotations=[annotation(segmentation=runs(RUNS, (WIDTH, HEIGHT)))]))
    write("picture-of-other-kinds.json", data(images=[image(file_name="text.png"), image(id=2, file_name="header.png"), image(id=3, file_name="folder"),
                                                      image(id=4, file_name="empty.jpg")],
                                              annotations=numbered(annotation(image_id=i) for i in (1, 2, 3, 4))))
    write("nothing-to-ask-for.json", data(images=[image(), image(id=2)], annotations=[annotation(iscrowd=1), annotation(id=2, segmentation=runs([48])), annotation(id=3, bbox=[1, 1, 0, 3])]))
    write("many-problems.json", data(images=[image(id=i % 3, width=-i) for i in range(1, 200)], annotations=[]))
    boxes = [{"image_id": 1, "category_id": 3, "bbox": [1, 1, 1, 3], "score": 0.5}, {"image_id": 2, "category_id": 3, "bbox": [1, 1, 1, 3], "score": 0.5}, {},
             {"image_id": 1, "category_id": "3", "bbox": [1, 1, 1, 3], "score": "high"}, {"image_id": 1, "category_id": 3, "bbox": [1, 1, 20, 3], "score": 0.5}, 7]
    for name, content in (("detections", boxes), ("detections-are-an-object", {"annotations": boxes}), ("detections-are-instances", data()),
                          ("detections-of-nothing", [{**boxes[0], "bbox": [5, 4, 2, 2]}]), ("detections-truncated", json.dumps(boxes)[:100])):
        write(name + ".json", data())
        write(name + ".boxes", content)
    mask = {"image_id": 1, "category_id": 3, "segmentation": runs(RUNS), "score": 0.5}
    masks = [mask, without(mask, "segmentation"), {**mask, "segmentation": [[1, 1, 5, 1, 5, 5]]}, {**mask, "segmentation": runs(RUNS, (WIDTH, HEIGHT))},
             {**mask, "segmentation": runs([7, 3, 37])}, {**mask, "segmentation": runs("73o")}, {**mask, "segmentation": runs(48)}, {**mask, "segmentation": {}},
             {**mask, "image_id": 9}, {**mask, "score": None}]
    for name, content in (("masks", masks), ("masks-truncated", json.dumps(masks)[:100]), ("masks-are-instances", data())):
        write(name + ".json", data())
        write(name + ".masks", content)
    write("images/good.png", png(WIDTH, HEIGHT))
    write("images/header.png", png(WIDTH, HEIGHT)[:20])
    write("images/text.png", "not a picture\n")
    write("images/empty.jpg", "")
    (FOLDER / "images/folder").mkdir(exist_ok=True)
    write("images/folder/README", "A folder where a picture is expected.\n")


if __name__ == "__main__":
    (FOLDER / "images").mkdir(parents=True, exist_ok=True)
    make_files()
