#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the broken checkpoints in tests/data/bad/checkpoints: one file per message the readers can give.

Beside every file stands NAME.expected, the complete message with {file} for the path. Those are written by hand; this program
never touches them. The same program writes the same bytes. Standard library only: nothing here needs PyTorch.
"""
import io
import json
import struct
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent / "checkpoints"


def write(name, content):
    (FOLDER / name).write_bytes(content)


# ---------------------------------------------------------------- safetensors


def safetensors(header, data=b"", length=None):
    """header: an object or the literal bytes of the header; length: what the file claims, if not the truth."""
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    good = {"a": entry([2], 0, 8), "b": entry([2], 8, 16)}
    data = bytes(16)
    whole = safetensors(good, data)
    one = lambda **change: safetensors({"a": {**entry([2], 0, 8), **change}}, bytes(8))
    without = lambda *keys: {key: value for key, value in entry([2], 0, 8).items() if key not in keys}

    write("empty.safetensors", b"")
    write("three-bytes.safetensors", b"\x08\x00\x00")
    write("header-length-2-63.safetensors", safetensors(good, data, length=1 << 63))
    write("header-length-above-cap.safetensors", safetensors(good, data, length=100_000_001))
    write("header-length-beyond-file.safetensors", safetensors(good, data, length=1_000_000))
    write("header-length-one-too-long.safetensors", safetensors(good, b"", length=len(whole) - 16 - 8 + 1))
    write("header-truncated.safetensors", whole[:40])
    write("header-is-a-list.safetensors", safetensors(b"[]"))
    write("header-is-not-json.safetensors", safetensors(b'{"a": nonsense}'))
    write("header-ends-early.safetensors", safetensors(b'{"a":{"dtype":"F32","shape":[2]'))
    write("header-with-text-after-it.safetensors", safetensors(b'{}{"a":1}'))
    write("header-is-not-utf8.safetensors", safetensors(b'{"\xff\xfe":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}', bytes(4)))
    write("header-nested-deep.safetensors", safetensors(b'{"a":' * 5000 + b"1" + b"}" * 5000))
    write("shape-nested-deep.safetensors", safetensors(b'{"a":{"dtype":"F32","shape":' + b"[" * 5000 + b"]" * 5000 + b"}}"))
    write("data-truncated.safetensors", whole[:-4])
    write("data-with-bytes-after-it.safetensors", whole + b"more")
    write("offsets-overlap.safetensors", safetensors({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)))
    write("offsets-identical.safetensors", safetensors({"a": entry([2], 0, 8), "b": entry([2], 0, 8)}, bytes(8)))
    write("offsets-leave-a-hole.safetensors", safetensors({"a": entry([2], 0, 8), "b": entry([2], 12, 20)}, bytes(20)))
    write("offsets-run-backwards.safetensors", one(data_offsets=[8, 0]))
    write("offsets-far-outside.safetensors", one(data_offsets=[2**64 - 16, 2**64 - 8]))
    write("offsets-are-three.safetensors", one(data_offsets=[0, 4, 8]))
    write("offsets-are-text.safetensors", one(data_offsets="0,8"))
    write("size-differs-from-shape.safetensors", one(shape=[3]))
    write("shape-overflows.safetensors", one(shape=[2**32, 2**32]))
    write("shape-overflows-behind-zero.safetensors", one(shape=[0, 2**62, 2**62], data_offsets=[0, 0]))
    write("shape-wraps-to-the-right-size.safetensors", one(shape=[2**62 + 2]))
    write("shape-is-negative.safetensors", one(shape=[-2]))
    write("shape-is-fractional.safetensors", one(shape=[2.5]))
    write("shape-beyond-64-bits.safetensors", one(shape=[2**65]))
    write("shape-beyond-63-bits.safetensors", one(shape=[2**63]))
    write("shape-of-rank-17.safetensors", one(shape=[1] * 16 + [2]))
    write("dtype-unknown.safetensors", one(dtype="F8_E4M3", shape=[8]))
    write("dtype-is-a-number.safetensors", one(dtype=32))
    write("entry-is-a-number.safetensors", safetensors({"a": 3}))
    write("entry-with-unknown-key.safetensors", one(scale=2))
    write("entry-with-key-twice.safetensors", safetensors(b'{"a":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,8]}}', bytes(8)))
    write("entries-incomplete.safetensors",
          safetensors({"no dtype": without("dtype"), "no shape": without("shape"), "no offsets": without("data_offsets")}, bytes(8)))
    write("name-twice.safetensors", safetensors(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}', bytes(16)))
    write("name-with-terminal-codes.safetensors", safetensors({"\x1b[31mred\n": entry([2], 0, 8, "F99")}, bytes(8)))
    write("metadata-not-text.safetensors", safetensors({"__metadata__": {"epoch": 3}, **good}, data))
    write("metadata-key-twice.safetensors", safetensors(b'{"__metadata__":{"a":"1","a":"2"}}'))
    write("many-problems.safetensors", safetensors(
        {"a": entry([2], 0, 4), "b": entry([2], 8, 16, "C64"), "c": entry([2**63 - 1, 2], 0, 8), "d": entry([2], 100, 108)}, data))


# ---------------------------------------------------------------- other files under the wrong name


def make_strangers():
    write("legacy-pytorch.pth", bytes.fromhex("80028a0a6cfc9c46f9206aa850192e80024de9032e80027d71002e"))
    write("bare-pickle.pth", bytes.fromhex("80047d942e"))
    header = bytearray(512)
    header[:7] = b"storage"
    header[257:265] = b"ustar\x0000"
    write("tar-archive.pth", bytes(header) + bytes(1024))
    write("gzip.pth", b"\x1f\x8b\x08\x00" + bytes(30))
    write("web-page.pth", b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n")
    write("git-lfs-pointer.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 375042383\n")
    write("png.safetensors", b"\x89PNG\r\n\x1a\n" + bytes(40))


# ---------------------------------------------------------------- a complete, very small SAM, and what can be wrong with one

IMAGE, PATCH, WIDTH, HEADS, MLP, DEPTH, WINDOW, PROMPT, MASK_IN, DECODER_MLP, IOU_WIDTH = 16, 4, 8, 2, 8, 2, 3, 16, 4, 8, 8


def sam_shapes():
    shapes = {}

    def linear(name, out, inputs):
        shapes[name + ".weight"], shapes[name + ".bias"] = [out, inputs], [out]

    def norm(name, channels):
        shapes[name + ".weight"], shapes[name + ".bias"] = [channels], [channels]

    def attention(name, inner):
        for projection in ("q_proj", "k_proj", "v_proj"):
            linear(f"{name}.{projection}", inner, PROMPT)
        linear(name + ".out_proj", PROMPT, inner)

    grid = IMAGE // PATCH
    shapes["image_encoder.pos_embed"] = [1, grid, grid, WIDTH]
    shapes["image_encoder.patch_embed.proj.weight"] = [WIDTH, 3, PATCH, PATCH]
    shapes["image_encoder.patch_embed.proj.bias"] = [WIDTH]
    for block in range(DEPTH):
        name = f"image_encoder.blocks.{block}."
        side = grid if block == DEPTH - 1 else WINDOW
        norm(name + "norm1", WIDTH)
        shapes[name + "attn.rel_pos_h"] = shapes[name + "attn.rel_pos_w"] = [2 * side - 1, WIDTH // HEADS]
        linear(name + "attn.qkv", 3 * WIDTH, WIDTH)
        linear(name + "attn.proj", WIDTH, WIDTH)
        norm(name + "norm2", WIDTH)
        linear(name + "mlp.lin1", MLP, WIDTH)
        linear(name + "mlp.lin2", WIDTH, MLP)
    shapes["image_encoder.neck.0.weight"] = [PROMPT, WIDTH, 1, 1]
    norm("image_encoder.neck.1", PROMPT)
    shapes["image_encoder.neck.2.weight"] = [PROMPT, PROMPT, 3, 3]
    norm("image_encoder.neck.3", PROMPT)
    shapes["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"] = [2, PROMPT // 2]
    for corner in range(4):
        shapes[f"prompt_encoder.point_embeddings.{corner}.weight"] = [1, PROMPT]
    shapes["prompt_encoder.not_a_point_embed.weight"] = [1, PROMPT]
    for layer, (out, inputs, side) in {0: (MASK_IN // 4, 1, 2), 3: (MASK_IN, MASK_IN // 4, 2), 6: (PROMPT, MASK_IN, 1)}.items():
        shapes[f"prompt_encoder.mask_downscaling.{layer}.weight"] = [out, inputs, side, side]
        shapes[f"prompt_encoder.mask_downscaling.{layer}.bias"] = [out]
    norm("prompt_encoder.mask_downscaling.1", MASK_IN // 4)
    norm("prompt_encoder.mask_downscaling.4", MASK_IN)
    shapes["prompt_encoder.no_mask_embed.weight"] = [1, PROMPT]
    for layer in range(2):
        name = f"mask_decoder.transformer.layers.{layer}."
        attention(name + "self_attn", PROMPT)
        attention(name + "cross_attn_token_to_image", PROMPT // 2)
        attention(name + "cross_attn_image_to_token", PROMPT // 2)
        for index in (1, 2, 3, 4):
            norm(f"{name}norm{index}", PROMPT)
        linear(name + "mlp.lin1", DECODER_MLP, PROMPT)
        linear(name + "mlp.lin2", PROMPT, DECODER_MLP)
    attention("mask_decoder.transformer.final_attn_token_to_image", PROMPT // 2)
    norm("mask_decoder.transformer.norm_final_attn", PROMPT)
    shapes["mask_decoder.iou_token.weight"] = [1, PROMPT]
    shapes["mask_decoder.mask_tokens.weight"] = [4, PROMPT]
    shapes["mask_decoder.output_upscaling.0.weight"] = [PROMPT, PROMPT // 4, 2, 2]
    shapes["mask_decoder.output_upscaling.0.bias"] = [PROMPT // 4]
    norm("mask_decoder.output_upscaling.1", PROMPT // 4)
    shapes["mask_decoder.output_upscaling.3.weight"] = [PROMPT // 4, PROMPT // 8, 2, 2]
    shapes["mask_decoder.output_upscaling.3.bias"] = [PROMPT // 8]
    for mask in range(4):
        name = f"mask_decoder.output_hypernetworks_mlps.{mask}.layers."
        linear(name + "0", PROMPT, PROMPT)
        linear(name + "1", PROMPT, PROMPT)
        linear(name + "2", PROMPT // 8, PROMPT)
    name = "mask_decoder.iou_prediction_head.layers."
    linear(name + "0", IOU_WIDTH, PROMPT)
    linear(name + "1", IOU_WIDTH, IOU_WIDTH)
    linear(name + "2", 4, IOU_WIDTH)
    return shapes


def sam_file(shapes, dtypes={}, values={}):
    """All values are zero but those given as bytes; F16 keeps the files small."""
    header, data = {}, b""
    for name, shape in shapes.items():
        dtype = dtypes.get(name, "F16")
        count = 1
        for extent in shape:
            count *= extent
        content = values.get(name, bytes(count * {"F16": 2, "I64": 8}[dtype]))
        header[name] = entry(shape, len(data), len(data) + len(content), dtype)
        data += content
    return safetensors(header, data)


def make_sams():
    shapes = sam_shapes()
    grid = IMAGE // PATCH
    write("sam-not-one.safetensors", safetensors({"weight": entry([2], 0, 8)}, bytes(8)))
    missing = dict(shapes)
    for name in ("image_encoder.blocks.1.norm2.bias", "mask_decoder.iou_token.weight", "prompt_encoder.no_mask_embed.weight"):
        del missing[name]
    write("sam-tensors-missing.safetensors", sam_file(missing))
    write("sam-with-adapters.safetensors", sam_file({
        **shapes, "image_encoder.blocks.0.Adapter.channel.0.weight": [2, 8], "image_encoder.blocks.0.Adapter.channel.2.weight": [8, 2],
        "pixel_mean": [3, 1, 1], "pixel_std": [3, 1, 1]}))
    misshaped = dict(shapes)
    misshaped["image_encoder.blocks.1.mlp.lin1.weight"] = [MLP, WIDTH + 1]
    misshaped["image_encoder.blocks.0.norm1.weight"] = [1, WIDTH]
    misshaped["mask_decoder.transformer.norm_final_attn.bias"] = [PROMPT // 2]
    write("sam-tensors-misshaped.safetensors", sam_file(misshaped))
    mixed = dict(misshaped)
    del mixed["image_encoder.neck.3.bias"]
    mixed["lora.weight"] = [1]
    write("sam-missing-misshaped-unknown.safetensors", sam_file(mixed, values={"mask_decoder.iou_token.weight": b"\x00\x7c" + bytes(2 * PROMPT - 2)}))
    write("sam-integer-weight.safetensors", sam_file(shapes, dtypes={"image_encoder.blocks.0.norm1.weight": "I64"}))
    write("sam-not-finite.safetensors", sam_file(shapes, values={"image_encoder.neck.1.bias": b"\x01\x7e\x00\x7c" + bytes(2 * PROMPT - 4)}))
    other_size = dict(shapes)
    for axis in "hw":
        other_size[f"image_encoder.blocks.1.attn.rel_pos_{axis}"] = [2 * 64 - 1, WIDTH // HEADS]
        other_size["image_encoder.blocks.2.attn.rel_pos_" + axis] = [2 * WINDOW - 1, WIDTH // HEADS]
    write("sam-rel-pos-of-another-size.safetensors", sam_file(other_size))
    even = dict(shapes)
    even["image_encoder.blocks.0.attn.rel_pos_h"] = [2 * WINDOW, WIDTH // HEADS]
    write("sam-rel-pos-even.safetensors", sam_file(even))
    odd_heads = dict(shapes)
    for block in range(DEPTH):
        odd_heads[f"image_encoder.blocks.{block}.attn.rel_pos_h"] = [2 * grid - 1, 3]
    write("sam-heads-do-not-divide.safetensors", sam_file(odd_heads))
    narrow = dict(shapes)
    for name in list(narrow):
        if "cross_attn" in name or "final_attn" in name:
            narrow[name] = [4 if extent == PROMPT // 2 else extent for extent in narrow[name]]
    write("sam-decoder-heads-do-not-fit.safetensors", sam_file(narrow))
    write("sam-empty-tensor.safetensors", sam_file({**shapes, "image_encoder.patch_embed.proj.weight": [0, 3, PATCH, PATCH]}))
    write("sam-no-position-table.safetensors", sam_file({name: shape for name, shape in shapes.items() if name != "image_encoder.pos_embed"}))
    write("sam-huge-layer-number.safetensors", sam_file({**shapes, "image_encoder.blocks.70000.norm1.weight": [WIDTH],
                                                         "image_encoder.blocks.99999999999999999999.norm1.weight": [WIDTH]}))
    write("sam-name-twice-after-prefix.safetensors", sam_file(
        {**{"module." + name: shape for name, shape in shapes.items()}, "mask_decoder.iou_token.weight": [1, PROMPT]}))
    huggingface = {"vision_encoder.patch_embed.projection.weight": [WIDTH, 3, PATCH, PATCH],
                   "prompt_encoder.shared_embedding.positional_embedding": [2, PROMPT // 2],
                   "shared_image_embedding.positional_embedding": [2, PROMPT // 2]}
    write("huggingface-copies-differ.safetensors",
          sam_file(huggingface, values={"shared_image_embedding.positional_embedding": b"\x00\x3c" * PROMPT}))


# ---------------------------------------------------------------- PyTorch zip files


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -2**31 <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def tuple_of(*parts):
    return b"(" + b"".join(parts) + b"t"


def numbers(values):
    return tuple_of(*map(number, values))


def imported(module, name):
    return f"c{module}\n{name}\n".encode()


def storage(key="0", elements=4, kind="FloatStorage"):
    return tuple_of(text("storage"), imported("torch", kind), text(key), text("cpu"), number(elements)) + b"Q"


def tensor(size=(4,), stride=(1,), offset=0, stored=None):
    arguments = tuple_of(stored or storage(), number(offset), numbers(size), numbers(stride), b"\x89", imported("collections", "OrderedDict") + b")R")
    return imported("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def dictionary(items):
    return b"}(" + b"".join(text(key) + value for key, value in items) + b"u"


def pickled(body, protocol=2):
    return b"\x80" + bytes([protocol]) + body + b"."


STORAGE = struct.pack("<4f", 1, 2, 3, 4)


def archive(members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            target.writestr(info, content)
    return buffer.getvalue()


def pth(pickle, storages={"0": STORAGE}, more=(), method=zipfile.ZIP_STORED):
    members = [("m/data.pkl", pickle)] + [(f"m/data/{key}", content) for key, content in storages.items()]
    return archive(members + list(more) + [("m/version", b"3\n")], method)


def patched(content, old, new):
    assert len(old) == len(new) and old in content
    return content.replace(old, new)


def central_entry(content, name):
    """Position of a member's entry in the central directory."""
    at = content.rindex(name)
    assert content[at - 46:at - 42] == b"PK\x01\x02"
    return at - 46


def with_field(content, at, layout, value):
    packed = struct.pack(layout, value)
    return content[:at] + packed + content[at + len(packed):]


def make_zips():
    one = pickled(dictionary([("w", tensor())]))
    whole = pth(one)
    write("zip-truncated.pth", whole[:-30])
    write("zip-half.pth", whole[:len(whole) // 2])
    write("zip-only-the-end.pth", b"PK\x05\x06" + bytes(18))
    write("zip-not-pytorch.pth", archive([("readme.txt", b"hello")]))
    write("zip-two-pickles.pth", archive([("a/data.pkl", one), ("b/data.pkl", one)]))
    write("zip-torchscript.pth", pth(one, more=[("m/constants.pkl", pickled(b")")), ("m/code/__torch__.py", b"")]))
    write("zip-path-traversal.pth", pth(one, more=[("../../../tmp/prelude-owned", b"x"), ("/etc/passwd", b"x"), ("m/..\\..\\owned", b"x"), ("m/../../x", b"x")]))
    twice = archive([("m/data.pkl", one), ("m/data/0", STORAGE), ("m/data/1", STORAGE)])
    write("zip-member-twice.pth", patched(twice, b"m/data/1", b"m/data/0"))
    encrypted = whole
    for at in (encrypted.index(b"PK\x03\x04") + 6, central_entry(whole, b"m/data.pkl") + 8):
        encrypted = with_field(encrypted, at, "<H", 1)
    write("zip-encrypted.pth", encrypted)
    write("zip-compressed-with-bzip2.pth", pth(one, method=zipfile.ZIP_BZIP2))
    bomb = pickled(dictionary([("w", tensor((1 << 23,), (1,), 0, storage("0", 1 << 23)))]))
    write("zip-bomb.pth", pth(bomb, {"0": bytes(1 << 25)}, method=zipfile.ZIP_DEFLATED))
    # The directory claims 4 GiB for a small member.
    at = central_entry(whole, b"m/data/0")
    local = whole.index(b"m/data/0") - 30
    liar = with_field(with_field(whole, at + 20, "<I", 0xFFFFFFF0), at + 24, "<I", 0xFFFFFFF0)
    liar = with_field(with_field(liar, local + 18, "<I", 0xFFFFFFF0), local + 22, "<I", 0xFFFFFFF0)
    write("zip-member-longer-than-file.pth", liar)
    # Stored, but 16 bytes are said to become 16 million.
    grown = with_field(whole, at + 24, "<I", 1 << 24)
    write("zip-stored-member-that-grows.pth", with_field(grown, local + 22, "<I", 1 << 24))
    # A deflated member whose directory entry claims fewer, and one that claims more bytes than it unpacks to.
    for name, elements in (("shorter", 2), ("longer", 6)):
        lying = pth(pickled(dictionary([("w", tensor((elements,), (1,), 0, storage("0", elements)))])), method=zipfile.ZIP_DEFLATED)
        at = central_entry(lying, b"m/data/0")
        local = lying.index(b"m/data/0") - 30
        lying = with_field(with_field(lying, at + 24, "<I", 4 * elements), local + 22, "<I", 4 * elements)
        write(f"zip-deflated-member-declared-{name}.pth", lying)
    # Members that share their bytes: 40 directory entries for one storage.
    shared = archive([("m/data.pkl", one)] + [(f"m/data/{index:02}", bytes(4000) if index == 0 else b"") for index in range(40)])
    first = central_entry(shared, b"m/data/00")
    crc, size = shared[first + 16:first + 20], shared[first + 20:first + 28]
    offset = shared[first + 42:first + 46]
    for index in range(1, 40):
        at = central_entry(shared, f"m/data/{index:02}".encode())
        shared = shared[:at + 16] + crc + size + shared[at + 28:at + 42] + offset + shared[at + 46:]
    write("zip-members-overlap.pth", shared)
    write("zip-storage-with-bad-checksum.pth", patched(whole, STORAGE, STORAGE[:-1] + b"\x00"))
    write("zip-pickle-with-bad-checksum.pth", patched(whole, text("w"), text("v")))
    write("zip-big-endian.pth", pth(one, more=[("m/byteorder", b"big")]))
    many = pickled(dictionary([("w", tensor()), ("v", tensor(stored=storage("1")))]))
    write("storage-missing.pth", pth(many))
    write("storage-outside-its-folder.pth", pth(pickled(dictionary([("w", tensor(stored=storage("../version")))]))))
    write("storage-too-short.pth", pth(pickled(dictionary([("w", tensor(stored=storage("0", 400)))]))))
    write("storage-of-another-type.pth", pth(pickled(dictionary([("w", tensor(stored=storage("0", 4, "DoubleStorage")))]))))
    write("storage-of-negative-size.pth", pth(pickled(dictionary([("w", tensor(stored=storage("0", -4)))]))))
    write("storage-type-unknown.pth", pth(pickled(dictionary([("w", tensor(stored=storage("0", 4, "QInt8Storage")))]))))


def make_pickles():
    marker = "touch /tmp/prelude-executed-a-pickle"

    def pickle(name, body, protocol=2):
        write(f"pickle-{name}.pth", pth(pickled(body, protocol)))

    pickle("os-system", imported("os", "system") + text(marker) + b"\x85R")
    pickle("posix-system-beside-tensors", dictionary([("w", tensor()), ("x", imported("posix", "system") + text(marker) + b"\x85R")]))
    pickle("builtins-eval-by-stack-global", text("builtins") + text("eval") + b"\x93" + text("1/0") + b"\x85R", protocol=4)
    pickle("several-globals", dictionary([("args", imported("argparse", "Namespace") + b")R}" + text("lr") + number(1) + b"sb"),
                                          ("scalar", imported("numpy.core.multiarray", "scalar") + b")R"),
                                          ("again", imported("argparse", "Namespace") + b")R"), ("w", tensor())]))
    pickle("whole-module", b"\x80\x02" + imported("segment_anything.modeling.sam", "Sam") + b")\x81}b")
    pickle("global-inside-tensor-arguments", dictionary([("w", imported("torch._utils", "_rebuild_tensor_v2") + tuple_of(
        imported("subprocess", "Popen") + text(marker) + b"\x85R", number(0), numbers((4,)), numbers((1,)), b"\x89", b"}") + b"R")]))
    pickle("old-opcode-inst", b"(ios\nsystem\n")
    pickle("extension-opcode", b"\x82\x01")
    pickle("persistent-id-as-text", b"Pos.system\n")
    pickle("protocol-0", b"}", protocol=0)
    write("pickle-truncated.pth", pth(pickled(dictionary([("w", tensor())]))[:-40]))
    pickle("goes-on-after-stop", dictionary([("w", tensor())]) + b"." + b"N")
    pickle("stack-underflow", b"s")
    pickle("no-mark", b"}u")
    pickle("below-mark", b"}(s")
    pickle("odd-items", b"}(" + text("w") + b"u")
    pickle("items-of-a-number", number(3) + b"(" + text("w") + tensor() + b"u")
    pickle("memo-never-filled", b"h\x07")
    pickle("memo-slot-huge", b"}r\xff\xff\xff\xff")
    pickle("text-longer-than-file", b"X\xff\xff\xff\xff")
    pickle("text-of-2-63-bytes", b"\x8d" + struct.pack("<Q", 1 << 63), protocol=4)
    pickle("line-without-end", b"cos.system")
    pickle("reduce-of-a-number", number(3) + b")R")
    pickle("call-of-a-storage-type", imported("torch", "FloatStorage") + b")R")
    pickle("wrong-arguments", dictionary([("w", imported("torch._utils", "_rebuild_tensor_v2") + numbers((1, 2, 3, 4, 5, 6)) + b"R")]))
    pickle("persistent-id-wrong", tuple_of(text("module"), text("x")) + b"Q")
    pickle("recursive-dictionary", b"}q\x00(" + text("model") + b"h\x00" + text("w") + tensor() + b"u")
    pickle("recursive-list", dictionary([("w", tensor()), ("loop", b"]q\x05(]h\x05ae")]))
    pickle("nested-deep", dictionary([("w", tensor()), ("deep", b"]" * 20000 + b"a" * 19999)]))
    # Ten times the list before, ninety times over: 10^90 elements by reference.
    laughs = b"]q\x00" + b"".join(b"](" + (b"h" + bytes([level])) * 10 + b"eq" + bytes([level + 1]) for level in range(90))
    pickle("billion-laughs", laughs)
    big = b"](" + numbers((1, 2)) * 2000 + b"eq\x01"
    pickle("one-list-a-thousand-times", imported("collections", "OrderedDict") + b"q\x00" + big + (b"h\x00h\x01\x85R") * 3000)
    pickle("no-tensors", dictionary([("epoch", number(3)), ("model", dictionary([("name", text("vit_b"))]))]))
    pickle("root-is-a-list", b"](" + tensor() + b"e")
    pickle("model-and-state-dict", dictionary([("model", dictionary([("w", tensor())])), ("state_dict", dictionary([("w", tensor())]))]))
    pickle("name-twice", dictionary([("w", tensor()), ("w", tensor())]))
    pickle("name-is-a-number", b"}(" + number(1) + tensor() + b"u")
    views = {"stride-negative": tensor((4,), (-1,), 3), "size-negative": tensor((-4,), (1,)), "offset-negative": tensor((1,), (1,), -1),
             "leaves-storage": tensor((4,), (1,), 1), "stride-leaves-storage": tensor((2, 2), (3, 1)), "stride-overflows": tensor((3, 2), (2**62, 1)),
             "size-overflows": tensor((2**32, 2**32), (0, 0)), "rank-differs": tensor((2, 2), (1,)),
             "size-is-text": imported("torch._utils", "_rebuild_tensor_v2") + tuple_of(storage(), number(0), text("4"), numbers((1,)), b"\x89", b"}") + b"R",
             "rank-17": tensor((1,) * 17, (1,) * 17)}
    pickle("views-all-wrong", dictionary(views.items()))
    pickle("view-stride-negative", dictionary([("w", views["stride-negative"])]))
    pickle("view-expanded-to-gigabytes", dictionary([("w", tensor((1 << 14, 1 << 14), (0, 0)))]))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    make_safetensors()
    make_strangers()
    make_sams()
    make_zips()
    make_pickles()
