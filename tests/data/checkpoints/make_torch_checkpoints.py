#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the small .pth files of this folder with real torch.save (made with PyTorch 1.13, Debian's python3-torch).

What is in them is stated again in tests/models/checkpoint/test_pth.cpp. The bytes depend on the version of PyTorch.
"""
from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def counting(*shape, dtype=torch.float32):
    count = 1
    for extent in shape:
        count *= extent
    return torch.arange(count).reshape(shape).to(dtype)


def main():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(counting(*parameter.shape))
    optimizer = torch.optim.AdamW(model.parameters())
    model(counting(4, 3)).sum().backward()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer.step()
    nested = model.state_dict()  # an OrderedDict with the attribute _metadata
    for name in nested:
        nested[name].copy_(state[name])
    training = {"model": nested, "optimizer": optimizer.state_dict(), "epoch": 3, "lr": 1e-3, "name": "x", "none": None, "flags": [True, 2.5, "a"],
                "big": 10**30, "negative": -2**40, "size": torch.Size([1, 2]), "tuple": (1, 2, 3, 4)}
    torch.save(training, FOLDER / "training.pth")
    torch.save({"state_dict": nested, "bytes": b"xyz"}, FOLDER / "protocol4.pth", pickle_protocol=4)
    types = {"f64": torch.float64, "f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64, "i32": torch.int32,
             "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}
    torch.save({name: counting(2, 3, dtype=dtype) for name, dtype in types.items()}, FOLDER / "types.pth")
    base = counting(2, 3, 4)
    torch.save({"base": base, "expanded": base[1, 0, 1].expand(3, 5), "permuted": base.permute(2, 0, 1), "strided": base[:, ::2, 1:3],
                "one": base[:1].transpose(0, 1), "column": base[0, :, 3], "parameter": torch.nn.Parameter(base[1])}, FOLDER / "views.pth")


if __name__ == "__main__":
    main()
