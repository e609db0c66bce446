# SPDX-License-Identifier: Apache-2.0
"""Safetensors files, read and written here so that training needs no package beyond PyTorch and NumPy; and the export of a
training checkpoint: `export.py CHECKPOINT OUT.safetensors [--dtype f16|f32]`."""
import argparse
import json
import os
import struct

import numpy as np

_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}


def read_safetensors(path):
    """-> ({name: array}, metadata)"""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[begin:end], _TYPES[entry["dtype"]]).reshape(entry["shape"]).copy()
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    names = {np.dtype(v): k for k, v in _TYPES.items()}
    header, offset = {"__metadata__": {k: str(v) for k, v in metadata.items()}}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".tmp", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())
    os.replace(path + ".tmp", path)


def main():
    import torch
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--dtype", choices=("f16", "f32"), default="f16")
    options = parser.parse_args()
    state = torch.load(options.checkpoint, map_location="cpu")
    dtype = np.float16 if options.dtype == "f16" else np.float32
    tensors = {name: value.numpy().astype(dtype) for name, value in state["average"].items()}
    metadata = {"format": "pt", "model": "sam_nano", "step": state["step"], "samples": state["samples"], "config": json.dumps(state["config"])}
    write_safetensors(options.out, tensors, metadata)
    size = os.path.getsize(options.out)
    assert size <= 8_000_000, f"{size} bytes: more than 8 MB"
    print(f"{options.out}: {len(tensors)} tensors, {size} bytes, step {state['step']}")


if __name__ == "__main__":
    main()
