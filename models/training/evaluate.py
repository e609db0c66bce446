# SPDX-License-Identifier: Apache-2.0
"""Mean IoU of the single-mask output, at the picture's own resolution.

`evaluate.py --weights F (--folder DIR [--count N] | --coco FILE --images DIR)`: a folder of prelude_generate with its own prompts, or
photographs with the annotations' boxes as prompts (and the point deepest inside each region)."""
import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from dataset import SIDE, Folder, decode_mask
from export import read_safetensors
from sam import PIXEL_MEAN, PIXEL_STD, SAM_NANO, Sam

CORNERS, POINT, PAIR = (2, 3), (1, -1), (1, 0, -1)


def preprocess(picture):
    """uint8 [H, W, 3], longest side 128 -> [3, 128, 128]"""
    height, width = picture.shape[:2]
    out = np.zeros((SIDE, SIDE, 3), np.float32)
    out[:height, :width] = (picture.astype(np.float32) - np.array(PIXEL_MEAN, np.float32)) / np.array(PIXEL_STD, np.float32)
    return torch.from_numpy(out.transpose(2, 0, 1).copy())


def predict(model, embeddings, owner, positions, labels, size):
    """Masks [P, S, S] at input resolution (logits upsampled twofold, threshold 0)."""
    labels = torch.tensor(labels).expand(len(positions), -1)
    logits, _ = model.decode(embeddings, owner, positions, labels)
    return F.interpolate(logits[:, :1].float(), size=(size, size), mode="bilinear", align_corners=False)[:, 0]


def iou(predicted, truth):
    both = (predicted & truth).flatten(1).sum(1).float()
    return both / (predicted | truth).flatten(1).sum(1).clamp(min=1)


@torch.no_grad()
def evaluate_folder(model, folder, count=None, every=False):
    """{prompt: mean IoU}; with `every`, {prompt: array of IoU}"""
    model.eval()
    scores = {"box": [], "point": [], "pair": []}
    count = min(count or len(folder), len(folder))
    for begin in range(0, count, 16):
        chosen = range(begin, min(begin + 16, count))
        images = torch.stack([preprocess(folder.images[i, :h, :w]) for i, (h, w) in ((i, folder.sizes[i]) for i in chosen)])
        embeddings = model.encode(images)
        spans = [range(folder.first[i], folder.first[i + 1]) for i in chosen]
        owner = torch.tensor([k for k, span in enumerate(spans) for _ in span])
        instances = [i for span in spans for i in span]
        truth = torch.from_numpy(np.stack([folder.mask(i) for i in instances])) > 0
        inside = torch.zeros(len(chosen), SIDE, SIDE, dtype=torch.bool)
        for k, i in enumerate(chosen):
            inside[k, :folder.sizes[i][0], :folder.sizes[i][1]] = True
        prompts = torch.from_numpy(folder.prompts[instances])
        none = torch.zeros(len(instances), 1, 2)
        given = {"box": (prompts[:, :4].view(-1, 2, 2), CORNERS), "point": (torch.cat([prompts[:, None, 4:6], none], 1), POINT),
                 "pair": (torch.cat([prompts[:, 6:].view(-1, 2, 2), none], 1), PAIR)}
        for name, (positions, labels) in given.items():
            predicted = (predict(model, embeddings, owner, positions, labels, SIDE) > 0) & inside[owner]
            scores[name].append(iou(predicted, truth).numpy())
    model.train()
    joined = {k: np.concatenate(v) for k, v in scores.items()}
    return joined if every else {k: float(v.mean()) for k, v in joined.items()}


@torch.no_grad()
def evaluate_photographs(model, annotations, images):
    """COCO file of photographs: {prompt: array of IoU} at each photograph's own resolution."""
    model.eval()
    document = json.load(open(annotations))
    scores = {"box": [], "point": []}
    of_image = {}
    for annotation in document["annotations"]:
        of_image.setdefault(annotation["image_id"], []).append(annotation)
    for record in document["images"]:
        picture = Image.open(pathlib.Path(images) / record["file_name"]).convert("RGB")
        scale = SIDE / max(picture.size)
        width, height = (int(s * scale + 0.5) for s in picture.size)
        embedding = model.encode(preprocess(np.asarray(picture.resize((width, height), Image.BILINEAR)))[None])
        chosen = of_image.get(record["id"], [])
        if not chosen:
            continue
        truth = torch.from_numpy(np.stack([decode_mask(a["segmentation"]) for a in chosen])) > 0
        boxes = torch.tensor([[a["bbox"][0], a["bbox"][1], a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3]] for a in chosen])
        small = F.interpolate(truth[:, None].float(), size=(height, width), mode="area")[:, 0]
        depth = small.clone()
        for _ in range(12):
            depth = depth + F.avg_pool2d(depth[:, None] * small[:, None], 5, 1, 2)[:, 0]
        deepest = (depth * small).flatten(1).argmax(1)
        points = torch.stack([deepest % width, deepest // width], 1).float()[:, None]
        owner = torch.zeros(len(chosen), dtype=torch.long)
        for name, positions, labels in (("box", boxes.float().view(-1, 2, 2) * scale, CORNERS),
                                        ("point", torch.cat([points, torch.zeros_like(points)], 1), POINT)):
            logits = predict(model, embedding, owner, positions, labels, SIDE)[:, None, :height, :width]
            logits = F.interpolate(logits, size=truth.shape[1:], mode="bilinear", align_corners=False)[:, 0]
            scores[name].append(iou(logits > 0, truth).numpy())
    return {k: np.concatenate(v) for k, v in scores.items()}


def load(path):
    model = Sam(**SAM_NANO)
    if str(path).endswith(".pt"):
        model.load_state_dict(torch.load(path, map_location="cpu")["average"])
    else:
        model.load_state_dict({k: torch.from_numpy(v).float() for k, v in read_safetensors(path)[0].items()})
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="safetensors, or a training checkpoint (its average)")
    parser.add_argument("--folder", action="append", default=[])
    parser.add_argument("--count", type=int, help="pictures of each folder")
    parser.add_argument("--coco")
    parser.add_argument("--images")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load(options.weights)

    def report(title, scores):
        for name, values in scores.items():
            margin = 1.96 * values.std() / len(values)**0.5
            print(f"{title:24s} {name:6s} mean IoU {values.mean():.4f} +- {margin:.4f}  over {len(values)} prompts")

    for folder in options.folder:
        report(pathlib.Path(folder).name, evaluate_folder(model, Folder(folder), options.count, every=True))
    if options.coco:
        report("photographs", evaluate_photographs(model, options.coco, options.images))


if __name__ == "__main__":
    main()
