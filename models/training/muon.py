# SPDX-License-Identifier: Apache-2.0
"""Muon: momentum whose matrix updates are made orthogonal by a Newton-Schulz iteration (K. Jordan et al., 2024), at the update size of
AdamW (0.2 root mean square, J. Liu et al., 2025). Learns from fewer pictures than AdamW, and pictures are what a CPU is short of."""
import torch


def orthogonal(x):
    """The nearest half-orthogonal matrix of each [.., m, n], m <= n, roughly: singular values 0.7 to 1.2, for which bfloat16 will do."""
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(5):
        a = x @ x.transpose(-2, -1)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """For weight matrices [out, in, ..]; `split` says how many matrices are stacked in a parameter's rows."""

    def __init__(self, named, lr, momentum=0.95, weight_decay=0.02):
        super().__init__([p for _, p in named], dict(lr=lr, momentum=momentum, weight_decay=weight_decay))
        self.split = {id(p): 3 if name.endswith("qkv.weight") else 1 for name, p in named}

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                update = update.view(self.split[id(p)], -1, update.shape[1])
                tall = update.shape[1] > update.shape[2]
                alike.setdefault(tuple(update.transpose(1, 2).shape if tall else update.shape)[1:], []).append((p, update, tall))
            for shape, members in alike.items():
                stacked = orthogonal(torch.cat([u.transpose(1, 2) if tall else u for _, u, tall in members]))
                stacked *= 0.2 * shape[1]**0.5
                at = 0
                for p, update, tall in members:
                    mine = stacked[at:at + len(update)]
                    at += len(update)
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_((mine.transpose(1, 2) if tall else mine).reshape(p.shape), alpha=group["lr"])
