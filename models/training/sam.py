# SPDX-License-Identifier: Apache-2.0
"""Segment Anything in PyTorch, for training: same topology and tensor names as Meta's checkpoints.

Written for small models on a CPU: convolutions whose stride equals their kernel are matrix products, tokens stay channels-last,
and the decoder runs over the prompts of many pictures at once. Checked against the golden files by `sam.py --check GOLDEN_STEM`.
"""
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)

SAM_NANO = dict(img_size=128, patch_size=8, embed_dim=128, depth=6, num_heads=4, mlp_dim=512, out_chans=64, window_size=7,
                global_attn_indexes=(2, 5), decoder_depth=2, decoder_num_heads=4, decoder_mlp_dim=256, iou_head_depth=3,
                iou_head_hidden_dim=64, mask_in_chans=16)


class ContiguousGradient(torch.autograd.Function):
    """Identity. The gradient of GELU in PyTorch 1.13 with Debian's oneDNN is wrong for an incoming gradient that is not contiguous."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.contiguous()


def gelu(x):
    return ContiguousGradient.apply(F.gelu(x.float()))  # float: in bfloat16 its gradient is slow


class LayerNorm2d(nn.Module):
    """LayerNorm over channels; here the channels are the last axis, so that it is an ordinary one."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.layer_norm(x.float(), x.shape[-1:], self.weight, self.bias, 1e-6)


def relative_positions(table, size):
    """table [2*size-1, d] -> [size(query), size(key), d]"""
    index = torch.arange(size)[:, None] - torch.arange(size)[None, :] + size - 1
    return table[index]


class EncoderAttention(nn.Module):
    def __init__(self, dim, heads, size):
        super().__init__()
        self.heads, self.size = heads, size
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * size - 1, dim // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * size - 1, dim // heads))

    def forward(self, qkv):  # [B, size, size, 3C] -> [B, size, size, C], both projections left to the caller
        b, s, _, c = qkv.shape
        d = c // 3 // self.heads
        q, k, v = qkv.view(b, s * s, 3, self.heads, d).permute(2, 0, 3, 1, 4).reshape(3, b * self.heads, s * s, d).unbind(0)
        # The position terms ride along in the score product: query side q.R, key side one-hot rows and columns.
        grid = q.view(-1, s, s, d)
        by_row = torch.bmm(grid.transpose(0, 1).reshape(s, -1, d), relative_positions(self.rel_pos_h, s).transpose(1, 2))
        by_row = by_row.view(s, -1, s, s).transpose(0, 1).reshape(-1, s * s, s)
        by_column = torch.bmm(grid.permute(2, 0, 1, 3).reshape(s, -1, d), relative_positions(self.rel_pos_w, s).transpose(1, 2))
        by_column = by_column.view(s, -1, s, s).permute(1, 2, 0, 3).reshape(-1, s * s, s)
        one = torch.eye(s, device=k.device).to(k.dtype)
        places = torch.cat([one.repeat_interleave(s, 0), one.repeat(s, 1)], 1).expand(len(k), -1, -1)
        scores = torch.bmm(torch.cat([q * d**-0.5, by_row.to(q.dtype), by_column.to(q.dtype)], 2), torch.cat([k, places], 2).transpose(1, 2))
        out = torch.bmm(scores.softmax(-1, dtype=q.dtype), v)
        return out.view(b, self.heads, s * s, d).transpose(1, 2).reshape(b, s, s, c // 3)


class Mlp(nn.Module):
    def __init__(self, dim, hidden, activation):
        super().__init__()
        self.lin1 = nn.Linear(dim, hidden)
        self.lin2 = nn.Linear(hidden, dim)
        self.activation = activation

    def forward(self, x):
        return self.lin2(self.activation(self.lin1(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, mlp_dim, window, size):
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = EncoderAttention(dim, heads, window or size)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, mlp_dim, gelu)

    def forward(self, x):
        y = self.attn.qkv(self.norm1(x))
        if self.window:  # a padded token is zero after norm1, so its q, k, v are the offsets alone
            b, s, _, c = y.shape
            w = self.window
            n = -(-s // w)
            if n * w > s:
                offsets = self.attn.qkv.bias.to(y.dtype)
                y = torch.cat([y, offsets.expand(b, s, n * w - s, c)], 2)
                y = torch.cat([y, offsets.expand(b, n * w - s, n * w, c)], 1)
            y = y.view(b, n, w, n, w, c).transpose(2, 3).reshape(b * n * n, w, w, c)
            y = self.attn(y)
            c //= 3
            y = y.view(b, n, n, w, w, c).transpose(2, 3).reshape(b, n * w, n * w, c)[:, :s, :s]
        else:
            y = self.attn(y)
        y = self.attn.proj(y)
        x = x + y
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, patch, dim):
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, dim, patch, patch)

    def forward(self, x):  # [B, 3, S, S] -> [B, S/p, S/p, C]
        b, c, s, _ = x.shape
        p = self.patch
        x = x.view(b, c, s // p, p, s // p, p).permute(0, 2, 4, 1, 3, 5).reshape(b, s // p, s // p, c * p * p)
        return F.linear(x, self.proj.weight.flatten(1), self.proj.bias)


class ImageEncoder(nn.Module):
    def __init__(self, img_size, patch_size, embed_dim, depth, num_heads, mlp_dim, out_chans, window_size, global_attn_indexes):
        super().__init__()
        size = img_size // patch_size
        self.patch_embed = PatchEmbed(patch_size, embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, size, size, embed_dim))
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, mlp_dim, 0 if i in global_attn_indexes else window_size, size) for i in range(depth))
        self.neck = nn.Sequential(nn.Conv2d(embed_dim, out_chans, 1, bias=False), LayerNorm2d(out_chans),
                                  nn.Conv2d(out_chans, out_chans, 3, padding=1, bias=False), LayerNorm2d(out_chans))

    def forward(self, x):  # -> [B, S/p, S/p, out]
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        with torch.autocast(x.device.type, enabled=False):  # the gradient of a bfloat16 convolution is slow
            x = self.neck[1](F.linear(x.float(), self.neck[0].weight.flatten(1)))
            x = self.neck[2](x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            return self.neck[3](x)


class PositionEncoding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, dim // 2))

    def forward(self, unit):  # [..., 2] in 0..1 -> [..., dim]
        phase = 2 * math.pi * ((2 * unit - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phase.sin(), phase.cos()], -1)


class PromptEncoder(nn.Module):
    """Prompts come as tokens: a position and a label each (-1 padding, 0 negative, 1 positive, 2 and 3 corners of a box)."""

    def __init__(self, dim, img_size, mask_in_chans):
        super().__init__()
        self.img_size = img_size
        self.pe_layer = PositionEncoding(dim)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_in_chans // 4, 2, 2), LayerNorm2d(mask_in_chans // 4), nn.GELU(),
            nn.Conv2d(mask_in_chans // 4, mask_in_chans, 2, 2), LayerNorm2d(mask_in_chans), nn.GELU(),
            nn.Conv2d(mask_in_chans, dim, 1))
        self.no_mask_embed = nn.Embedding(1, dim)

    def forward(self, positions, labels):  # [P, N, 2] in pixels, [P, N] -> [P, N, dim]
        code = self.pe_layer((positions + 0.5) / self.img_size)
        code = code * (labels >= 0).to(code.dtype)[..., None]
        table = torch.cat([self.not_a_point_embed.weight] + [e.weight for e in self.point_embeddings])
        return code + table[labels + 1]

    def dense(self, mask=None):  # logits [P, 1, 4n, 4n] -> [P, n*n, dim]; none -> [1, 1, dim]
        if mask is None:
            return self.no_mask_embed.weight[None]
        x = mask
        for layer in self.mask_downscaling:
            if isinstance(layer, LayerNorm2d):
                x = layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            else:
                x = gelu(x) if isinstance(layer, nn.GELU) else layer(x)
        return x.flatten(2).transpose(1, 2)

    def grid(self, size):  # position code of every image token [1, n*n, dim]
        axis = (torch.arange(size, dtype=torch.float32, device=self.no_mask_embed.weight.device) + 0.5) / size
        unit = torch.stack([axis[None, :].expand(size, size), axis[:, None].expand(size, size)], -1)
        return self.pe_layer(unit).view(1, size * size, -1)


class DecoderAttention(nn.Module):
    def __init__(self, dim, heads, downsample=1):
        super().__init__()
        self.heads, inner = heads, dim // downsample
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(dim, inner) for _ in range(3))
        self.out_proj = nn.Linear(inner, dim)

    def forward(self, q, k, v):
        q, k, v = ((f(x)).view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
                   for f, x in ((self.q_proj, q), (self.k_proj, k), (self.v_proj, v)))
        weights = (q @ k.transpose(2, 3) * q.shape[-1]**-0.5).softmax(-1)
        return self.out_proj((weights @ v).transpose(1, 2).flatten(2))


class TwoWayBlock(nn.Module):
    def __init__(self, dim, heads, mlp_dim, first):
        super().__init__()
        self.first = first
        self.self_attn = DecoderAttention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = DecoderAttention(dim, heads, 2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, mlp_dim, F.relu)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = DecoderAttention(dim, heads, 2)

    def forward(self, queries, keys, query_code, key_code):
        if self.first:
            queries = self.self_attn(queries, queries, queries)
        else:
            q = queries + query_code
            queries = queries + self.self_attn(q, q, queries)
        queries = self.norm1(queries)
        k = keys + key_code
        queries = self.norm2(queries + self.cross_attn_token_to_image(queries + query_code, k, keys))
        queries = self.norm3(queries + self.mlp(queries))
        keys = self.norm4(keys + self.cross_attn_image_to_token(k, queries + query_code, queries))
        return queries, keys


class TwoWayTransformer(nn.Module):
    def __init__(self, depth, dim, heads, mlp_dim):
        super().__init__()
        self.layers = nn.ModuleList(TwoWayBlock(dim, heads, mlp_dim, i == 0) for i in range(depth))
        self.final_attn_token_to_image = DecoderAttention(dim, heads, 2)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, tokens, keys, key_code):
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, key_code)
        queries = self.norm_final_attn(queries + self.final_attn_token_to_image(queries + tokens, keys + key_code, keys))
        return queries, keys


class Head(nn.Module):
    def __init__(self, dim, hidden, out, depth):
        super().__init__()
        sizes = [dim] + [hidden] * (depth - 1) + [out]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def upscale(x, conv):
    """Transposed convolution, kernel 2, stride 2, channels last: [P, h, w, c] -> [P, 2h, 2w, d]"""
    p, h, w, _ = x.shape
    d = conv.weight.shape[1]
    y = x @ conv.weight.permute(0, 2, 3, 1).reshape(conv.weight.shape[0], 4 * d)
    return y.view(p, h, w, 2, 2, d).transpose(2, 3).reshape(p, 2 * h, 2 * w, d) + conv.bias


class MaskDecoder(nn.Module):
    num_tokens = 4

    def __init__(self, dim, depth, heads, mlp_dim, iou_head_depth, iou_head_hidden_dim):
        super().__init__()
        self.transformer = TwoWayTransformer(depth, dim, heads, mlp_dim)
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(self.num_tokens, dim)
        self.output_upscaling = nn.Sequential(nn.ConvTranspose2d(dim, dim // 4, 2, 2), LayerNorm2d(dim // 4), nn.GELU(),
                                              nn.ConvTranspose2d(dim // 4, dim // 8, 2, 2), nn.GELU())
        self.output_hypernetworks_mlps = nn.ModuleList(Head(dim, dim, dim // 8, 3) for _ in range(self.num_tokens))
        self.iou_prediction_head = Head(dim, iou_head_hidden_dim, self.num_tokens, iou_head_depth)

    def forward(self, keys, key_code, sparse):  # [P, n*n, C], [1, n*n, C], [P, N, C] -> logits [P, 4, 4n, 4n], iou [P, 4]
        prompts, cells, dim = keys.shape
        size = math.isqrt(cells)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(prompts, -1, -1), sparse], 1)
        tokens, keys = self.transformer(tokens, keys, key_code)
        x = upscale(keys.view(prompts, size, size, dim), self.output_upscaling[0])
        x = upscale(gelu(self.output_upscaling[1](x)), self.output_upscaling[3])
        x = gelu(x).view(prompts, 16 * cells, dim // 8)
        weights = torch.stack([head(tokens[:, 1 + i]) for i, head in enumerate(self.output_hypernetworks_mlps)], 1)
        logits = torch.bmm(weights, x.transpose(1, 2))
        return logits.view(prompts, self.num_tokens, 4 * size, 4 * size), self.iou_prediction_head(tokens[:, 0])


class Sam(nn.Module):
    def __init__(self, img_size, patch_size, embed_dim, depth, num_heads, mlp_dim, out_chans, window_size, global_attn_indexes,
                 decoder_depth, decoder_num_heads, decoder_mlp_dim, iou_head_depth, iou_head_hidden_dim, mask_in_chans):
        super().__init__()
        self.image_encoder = ImageEncoder(img_size, patch_size, embed_dim, depth, num_heads, mlp_dim, out_chans, window_size,
                                          global_attn_indexes)
        self.prompt_encoder = PromptEncoder(out_chans, img_size, mask_in_chans)
        self.mask_decoder = MaskDecoder(out_chans, decoder_depth, decoder_num_heads, decoder_mlp_dim, iou_head_depth, iou_head_hidden_dim)

    def initialise(self):
        """PyTorch's own initialisation, except that positions start small and differ."""
        nn.init.trunc_normal_(self.image_encoder.pos_embed, std=0.02)

    def encode(self, pictures):
        return self.image_encoder(pictures).flatten(1, 2)

    def decode(self, embeddings, owner, positions, labels, mask=None):
        """embeddings [B, n*n, C]; prompt p belongs to picture owner[p]."""
        keys = embeddings[owner] + self.prompt_encoder.dense(mask)
        size = math.isqrt(embeddings.shape[1])
        return self.mask_decoder(keys, self.prompt_encoder.grid(size), self.prompt_encoder(positions, labels))


def check(stem):
    """Compares with the golden files STEM.{json,safetensors,inputs.safetensors,outputs.safetensors}."""
    import json
    from export import read_safetensors
    config = json.load(open(stem + ".json"))["config"]
    config.pop("orig_hw")
    config["mlp_dim"] = int(config.pop("mlp_ratio") * config["embed_dim"])
    model = Sam(**config)
    load = lambda suffix: {k: torch.from_numpy(v) for k, v in read_safetensors(stem + suffix)[0].items()}
    weights = load(".safetensors")
    print(model.load_state_dict(weights, strict=True))
    inputs, outputs = load(".inputs.safetensors"), load(".outputs.safetensors")
    worst = 0.0

    def compare(name, value):
        nonlocal worst
        error = ((value - outputs[name]).abs().max() / outputs[name].abs().max()).item()
        worst = max(worst, error)
        print(f"{name:40s} {error:.2e}")

    with torch.no_grad():
        embedding = model.encode(inputs["preprocessed"])
        size = math.isqrt(embedding.shape[1])
        compare("image_embedding", embedding.transpose(1, 2).reshape(1, -1, size, size))
        for name in sorted({k.split(".")[1] for k in inputs if k.startswith("prompt.")}):
            get = lambda key: inputs.get(f"prompt.{name}.{key}")
            positions, labels, parts = get("point_coords"), get("point_labels"), []
            if positions is not None:
                parts.append((positions, labels))
                if get("boxes") is None:
                    parts.append((torch.zeros(len(positions), 1, 2), torch.full((len(positions), 1), -1)))
            if get("boxes") is not None:
                parts.append((get("boxes").view(-1, 2, 2), torch.tensor([[2, 3]]).expand(len(get("boxes")), -1)))
            if not parts:
                continue  # a mask alone has no tokens; the mask_point case covers the mask path
            positions, labels = (torch.cat(x, 1) for x in zip(*parts))
            logits, iou = model.decode(embedding, torch.zeros(len(positions), dtype=torch.long), positions, labels, get("mask_inputs"))
            compare(f"{name}.single.low_res_logits", logits[:, :1])
            compare(f"{name}.multi.low_res_logits", logits[:, 1:])
            compare(f"{name}.multi.iou", iou[:, 1:])
    print(f"worst {worst:.2e}: {'ok' if worst < 1e-4 else 'WRONG'}")
    return worst < 1e-4


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "--check":
        sys.exit("usage: sam.py --check GOLDEN_STEM")
    sys.exit(0 if check(sys.argv[2]) else 1)
