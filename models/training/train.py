# SPDX-License-Identifier: Apache-2.0
"""Trains sam_nano on the pictures of prelude_generate. `--minutes` sets the length: the learning rate follows elapsed time, so a
busy machine trains less but still ends on a low rate. Continues from `OUT/checkpoint.pt` when it exists."""
import argparse
import csv
import json
import math
import os
import pathlib
import time

import numpy as np
import torch
import torch.nn.functional as F

from dataset import SIDE, Folder, folders
from evaluate import evaluate_folder
from export import read_safetensors
from muon import Muon
from sam import PIXEL_MEAN, PIXEL_STD, SAM_NANO, Sam

BOX, POINT, PAIR, BOX_POINT = range(4)
MEAN, STD = np.array(PIXEL_MEAN, np.float32), np.array(PIXEL_STD, np.float32)


class Source(torch.utils.data.IterableDataset):
    """Endless random batches (pictures, edges, targets, positions, labels) from all folders finished so far."""

    def __init__(self, root, seed, scene_share, box_share, pictures, per_picture):
        self.root, self.seed, self.scene_share, self.box_share = root, seed, scene_share, box_share
        self.pictures, self.per_picture = pictures, per_picture
        self.open = {"scene": {}, "phantom": {}}

    def refresh(self):
        for kind, known in self.open.items():
            for path in folders(self.root, "train", kind):
                if path not in known:
                    known[path] = Folder(path)
        return {kind: sum(map(len, known.values())) for kind, known in self.open.items()}

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        seed = self.seed + (1000003 * (worker.id + 1) if worker else 0)
        torch.manual_seed(seed)
        self.random = np.random.RandomState(seed % 2**32)
        while True:
            self.refresh()
            for _ in range(500):
                yield self.batch()

    def picture(self):
        random = self.random
        known = self.open["scene" if random.rand() < self.scene_share else "phantom"]
        folder = list(known.values())[random.randint(len(known))]
        index = random.randint(len(folder))
        height, width = folder.sizes[index]
        flip_x, flip_y, turn = random.rand() < 0.5, random.rand() < 0.15, random.rand() < 0.15

        def augment(array):
            array = array[:height, :width]
            if flip_x: array = array[:, ::-1]
            if flip_y: array = array[::-1]
            if turn: array = array.swapaxes(0, 1)
            out = np.zeros((SIDE, SIDE) + array.shape[2:], np.float32)
            out[:array.shape[0], :array.shape[1]] = array
            return out

        image = folder.images[index, :height, :width].astype(np.float32)
        if random.rand() < 0.5:
            image = (image - 128) * random.uniform(0.7, 1.3) + 128 + random.uniform(-25, 25)
            image = np.clip(image * random.uniform(0.9, 1.1, 3).astype(np.float32), 0, 255)
        image = (image - MEAN) / STD
        masks = [folder.mask(i) for i in range(*folder.first[index:index + 2])]
        chosen = random.choice(len(masks), self.per_picture, replace=len(masks) < self.per_picture)
        regions = augment(sum((i + 1) * mask for i, mask in enumerate(masks)))
        edges = np.zeros((SIDE, SIDE), np.float32)
        edges[:, 1:] = regions[:, 1:] != regions[:, :-1]
        edges[1:] = np.maximum(edges[1:], regions[1:] != regions[:-1])
        edges = edges.reshape(SIDE // 2, 2, SIDE // 2, 2).max((1, 3))
        return augment(image).transpose(2, 0, 1), edges, np.stack([augment(masks[i]) for i in chosen])

    def batch(self):
        images, edges, masks = zip(*(self.picture() for _ in range(self.pictures)))
        masks = torch.from_numpy(np.concatenate(masks))
        choice = torch.rand(len(masks))
        if torch.rand(()) < 0.15:  # prompts of one batch have the same number of tokens
            kind = torch.where(choice < 0.7, PAIR, BOX_POINT)
        else:
            kind = torch.where(choice < self.box_share, BOX, POINT)
        target = F.avg_pool2d(masks[:, None], 2)[:, 0]
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(edges)), target, *make_prompts(masks, target, kind)


def sample_points(weights):
    """A pixel from each map of 2x2 cells [P, S, S], with probability proportional to the cell's value -> [P, 1, 2] (x, y)"""
    side = weights.shape[-1]
    index = torch.multinomial(weights.flatten(1) + 1e-8, 1)
    return 2.0 * torch.stack([index % side, index // side], -1) + torch.randint(2, (len(weights), 1, 2))


def make_prompts(masks, cells, kind):
    """masks [P, 128, 128], cells [P, 64, 64] (their 2x2 means) -> positions [P, N, 2], labels [P, N]; `kind`: one of BOX.. each"""
    count = len(masks)
    columns, rows = masks.amax(1), masks.amax(2)
    axis = torch.arange(SIDE, dtype=torch.float32)
    span = lambda line: (torch.where(line > 0, axis, torch.tensor(1e9)).amin(1), torch.where(line > 0, axis + 1, torch.tensor(-1.0)).amax(1))
    (x0, x1), (y0, y1) = span(columns), span(rows)
    boxes = torch.stack([x0, y0, x1, y1], 1)
    sides = torch.stack([x1 - x0, y1 - y0], 1).repeat(1, 2)
    deviation = torch.tensor([0.0, 0.03, 0.05, 0.09])[torch.randint(4, (count, 1))]
    boxes = (boxes + sides * deviation * torch.randn(count, 4).clamp(-2.5, 2.5)).clamp(0, SIDE).view(count, 2, 2)

    full = (cells > 0.9).float()  # a point drawn from such a cell is inside
    full = torch.where(full.flatten(1).sum(1)[:, None, None] > 0, full, cells)
    interior = F.avg_pool2d(full[:, None], 5, 1, 2)[:, 0] * full
    interior = interior / interior.flatten(1).amax(1)[:, None, None].clamp(min=1e-6)
    wide = (torch.rand(count) < 0.3).float()[:, None, None]  # anywhere inside, else deep inside
    positive = sample_points(wide * full + (1 - wide) * interior**6)

    none = torch.zeros(count, 1, 2)
    if not ((kind == PAIR) | (kind == BOX_POINT)).any():
        is_box = (kind == BOX)[:, None]
        positions = torch.where(is_box[..., None], boxes, torch.cat([positive, none], 1))
        return positions, torch.where(is_box, torch.tensor([2, 3]).expand(count, 2), torch.tensor([1, -1]).expand(count, 2))
    near = F.max_pool2d(cells[:, None], 9, 1, 4)[:, 0]
    outside = (cells == 0).float()
    negative = sample_points((near + 0.02) * outside)
    is_pair = (kind == PAIR)[:, None]
    positions = torch.where(is_pair[..., None], torch.cat([positive, negative, none], 1), torch.cat([positive, boxes], 1))
    labels = torch.where(is_pair, torch.tensor([1, 0, -1]).expand(count, 3), torch.tensor([1, 2, 3]).expand(count, 3))
    return positions, labels


def losses(logits, iou, target):
    """logits [P, 4, 64, 64], iou [P, 4], target [P, 64, 64] in 0..1 -> total, the single-mask part, mean IoU of token 0

    The first token answers every prompt with one mask and is what is evaluated; the other three learn alternatives: only the
    best of them is taught (as in SAM). Cross-entropy is weighted by the squared error (a little focal)."""
    x = logits.flatten(2)
    t = target.flatten(1)[:, None]
    p = torch.sigmoid(x)
    entropy = F.softplus(x) - x * t
    entropy = (entropy * (0.5 + 2 * (p - t).detach()**2)).mean(2)
    dice = 1 - (2 * (p * t).sum(2) + 1) / (p.sum(2) + t.sum(2) + 1)
    each = 2 * entropy + dice
    with torch.no_grad():
        hit, truth = (x > 0).float(), (t > 0.5).float()
        both = (hit * truth).sum(2)
        actual = both / (hit.sum(2) + truth.sum(2) - both).clamp(min=1)
    single = each[:, 0].mean()
    total = single + 0.4 * each[:, 1:].amin(1).mean() + F.mse_loss(iou, actual)
    return total, single, actual[:, 0].mean()


def edge_loss(logits, edges):
    """logits [B, n*n, 16]: the 4x4 cells of each token; edges [B, 64, 64]. Where instances end is told for the whole picture, which
    teaches the encoder sooner than a few masks do. The head that predicts it is not part of SAM and is thrown away."""
    size = math.isqrt(logits.shape[1])
    logits = logits.view(-1, size, size, 4, 4).transpose(2, 3).reshape(-1, 4 * size, 4 * size)
    return F.binary_cross_entropy_with_logits(logits, edges, pos_weight=torch.tensor(3.0, device=edges.device))


def save(path, state):
    torch.save(state, str(path) + ".tmp")
    os.replace(str(path) + ".tmp", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder of prelude_generate's output folders")
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--batch", type=int, default=16, help="pictures a step")
    parser.add_argument("--prompts", type=int, default=6, help="prompts a picture")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate; of the matrices 1.5 times that")
    parser.add_argument("--warm-up", type=float, default=0.04, help="share of the time")
    parser.add_argument("--scene-share", type=float, default=0.6)
    parser.add_argument("--box-share", type=float, default=0.6, help="of batches that hold boxes and single points")
    parser.add_argument("--resume-weights", help="safetensors to start from, with fresh optimiser moments, if OUT has no checkpoint yet")
    parser.add_argument("--start-step", type=int, default=0, help="with --resume-weights: what the step counter starts at")
    parser.add_argument("--bf16", action="store_true", help="matrix products of the image encoder in bfloat16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches; 0: the training process does")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stop-after", type=int, default=0, help="steps; for timing")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    model = Sam(**SAM_NANO)
    model.initialise()
    model.to(device)
    step, samples, elapsed = options.start_step, options.start_step * options.batch, 0.0
    checkpoint = out / "checkpoint.pt"
    if options.resume_weights and not checkpoint.exists():
        model.load_state_dict({k: torch.from_numpy(v).float() for k, v in read_safetensors(options.resume_weights)[0].items()})
    matrices = [(n, p) for n, p in model.named_parameters()
                if p.dim() >= 2 and "embed" not in n and "rel_pos" not in n and "token.weight" not in n]
    of_matrices = {id(p) for _, p in matrices}
    optimizers = {"matrices": Muon(matrices, lr=1.5 * options.rate, weight_decay=0.04),
                  "others": torch.optim.AdamW([p for p in model.parameters() if id(p) not in of_matrices], lr=options.rate, betas=(0.9, 0.98),
                                              weight_decay=0.0, foreach=True)}
    edge_head = torch.nn.Linear(SAM_NANO["out_chans"], 16).to(device)
    optimizers["edges"] = torch.optim.AdamW(edge_head.parameters(), lr=1e-3)
    peaks = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    average = {k: v.clone() for k, v in model.state_dict().items()}
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        for name, optimizer in optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        edge_head.load_state_dict(state["edge_head"])
        average, step, samples, elapsed = state["average"], state["step"], state["samples"], state["elapsed"]
    source = Source(options.data, options.seed + 7919 * step, options.scene_share, options.box_share, options.batch, options.prompts)
    print(f"{sum(p.numel() for p in model.parameters())} parameters; pictures {source.refresh()}; step {step}", flush=True)
    batches = iter(torch.utils.data.DataLoader(source, batch_size=None, num_workers=options.workers, pin_memory=device.type == "cuda"))
    owner = torch.arange(options.batch, device=device).repeat_interleave(options.prompts)

    dev = [(kind, Folder(path)) for kind in ("scene", "phantom") for path in folders(options.data, "dev", kind)[:1]]
    curve_path = out / "curve.csv"
    curve = csv.writer(open(curve_path, "a", buffering=1))
    if curve_path.stat().st_size == 0:
        curve.writerow(["step", "samples", "minutes", "rate", "loss", "iou_train"] + [f"{k}_{p}" for k, _ in dev for p in ("box", "point", "pair")])
    shadow = Sam(**SAM_NANO)
    begin, first_step = time.time() - 60 * elapsed, step
    last_print = last_save = last_eval = time.time()
    total_loss = total_iou = count = 0
    print_step = step

    def state():
        return dict(model=model.state_dict(), edge_head=edge_head.state_dict(), average=average, step=step, samples=samples,
                    optimizers={name: optimizer.state_dict() for name, optimizer in optimizers.items()}, elapsed=(time.time() - begin) / 60, config=SAM_NANO)

    def evaluate(loss, iou, rate):
        shadow.load_state_dict(average)
        scores = [evaluate_folder(shadow, folder, 160) for _, folder in dev]
        row = [s[p] for s in scores for p in ("box", "point", "pair")]
        print("dev  " + "  ".join(f"{k} box {s['box']:.3f} point {s['point']:.3f} pair {s['pair']:.3f}" for (k, _), s in zip(dev, scores)), flush=True)
        curve.writerow([step, samples, f"{(time.time() - begin) / 60:.1f}", f"{rate:.2e}", f"{loss:.4f}", f"{iou:.4f}"] + [f"{v:.4f}" for v in row])

    while True:
        progress = (time.time() - begin) / 60 / options.minutes
        if progress >= 1:
            break
        warm = min(1.0, (step - first_step + 1) / 100)
        share = min(warm, progress / options.warm_up if progress < options.warm_up
                    else 0.5 + 0.5 * math.cos(math.pi * (progress - options.warm_up) / (1 - options.warm_up)))
        share = max(0.005, share)
        for name, optimizer in optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = peaks[name] * share

        images, edges, target, positions, labels = (x.to(device, non_blocking=True) for x in next(batches))
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            embeddings = model.encode(images)
        logits, iou = model.decode(embeddings, owner, positions, labels)
        loss, single, actual = losses(logits, iou, target)
        loss = loss + 0.5 * edge_loss(edge_head(embeddings), edges)
        if step % 20 == 0:  # the answer so far as a mask prompt
            again = model.decode(embeddings, owner, positions, labels, logits[:, :1].detach())
            loss = loss + losses(*again, target)[0]
        for optimizer in optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            for optimizer in optimizers.values():
                optimizer.step()
        step += 1
        samples += options.batch
        decay = min(0.999, (1 + step) / (20 + step))
        with torch.no_grad():
            current = model.state_dict()
            torch._foreach_mul_(list(average.values()), decay)
            torch._foreach_add_(list(average.values()), [current[k] for k in average], alpha=1 - decay)
        total_loss, total_iou, count = total_loss + single.detach(), total_iou + actual, count + 1

        now = time.time()
        if now - last_print > 60 or step - first_step in (20, options.stop_after):
            speed = (step - print_step) * options.batch / (now - last_print)
            minutes = (now - begin) / 60
            print(f"step {step}  {minutes:.1f}/{options.minutes:g} min  rate {options.rate * share:.1e}  loss {total_loss / count:.4f}  iou {total_iou / count:.3f}  "
                  f"{speed:.1f} samples/s  ETA {options.minutes - minutes:.0f} min", flush=True)
            last_print, print_step = now, step
            if now - last_eval > 480:
                evaluate(total_loss / count, total_iou / count, options.rate * share)
                last_eval = last_print = time.time()
            total_loss = total_iou = count = 0
        if now - last_save > 180:
            save(checkpoint, state())
            last_save = now
        if step - first_step == options.stop_after:
            break
    if count:
        evaluate(total_loss / count, total_iou / count, options.rate * share)
    save(checkpoint, state())


if __name__ == "__main__":
    main()
