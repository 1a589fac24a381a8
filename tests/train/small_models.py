"""Models with every awkward thing in them, and the plain training they are compared with."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

VOCAB, WIDTH, BATCH, LENGTH = 11, 8, 48, 6


@dataclass
class Output:
    logits: torch.Tensor
    extras: list


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.up = nn.Linear(width, 2 * width + 1, bias=False)  # odd
        self.down = nn.Linear(2 * width + 1, width, bias=False)

    def forward(self, x):
        return {"x": x + self.down(F.silu(self.up(self.norm(x))))}


class Awkward(nn.Module):
    """A tied head used as a function, a frozen, an unused, an empty and a one-element parameter,
    outputs in containers, and a block that only some steps use."""

    def __init__(self, layers=3):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(layers))
        self.scale = nn.Parameter(torch.ones(1))
        self.empty = nn.Parameter(torch.empty(0))
        self.unused = nn.Parameter(torch.full((5, 3), 0.5))
        self.frozen = nn.Linear(WIDTH, WIDTH, bias=False).requires_grad_(False)

    def forward(self, tokens, skip=False):
        x = self.embed(tokens)
        for number, block in enumerate(self.blocks):
            if not (skip and number == 1):
                x = block(x)["x"]
        x = x + self.frozen(x)
        return Output(F.linear(x * self.scale, self.embed.weight), [x])


def tokens_of(step):
    generator = torch.Generator().manual_seed(step)
    return torch.randint(0, VOCAB, (BATCH, LENGTH), generator=generator)


def loss_of(model, tokens, **options):
    logits = model(tokens[:, :-1], **options).logits
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def build(dtype=torch.float64):
    torch.manual_seed(0)
    return Awkward().to(dtype)


def skips(step):
    return step % 3 == 2


def train_plainly(steps, clip=None, dtype=torch.float64, lr=1e-2):
    model = build(dtype)
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))
    norms = []
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(model, tokens_of(step), skip=skips(step)).backward()
        norms.append(float(nn.utils.clip_grad_norm_(trained, clip or float("inf"))))
        optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}, norms


def config_of(stage, world, micro_batches=1, **changes):
    return {
        "batch": {"micro": BATCH // world // micro_batches, "global": BATCH},
        "optimizer": {"lr": 1e-2},
        "gradient_clipping": None,
        "precision": "fp32",
        "zero": {"stage": stage, "bucket_bytes": 1024, "prefetch_bytes": 2048},
    } | changes


def share_of(step, rank, world, micro_batches=1):
    return tokens_of(step).chunk(world)[rank].chunk(micro_batches)


def difference(found, expected):
    return max(
        (found[name].to(p.dtype) - p).abs().max().item()
        for name, p in expected.items()
        if p.numel()
    )
