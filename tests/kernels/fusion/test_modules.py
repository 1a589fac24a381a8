"""Modules of one's own: odd spellings that are found, and look-alikes that are left alone."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import raylm_kernels as rk
from raylm_kernels.comparison import distance


class Norm(nn.Module):
    """An RMS norm in the spelling it is given."""

    def __init__(self, spelling, width=32):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)
        self.spelling = spelling

    def forward(self, x):
        return self.spelling(x, self.weight)


NORMS = {
    "Llama's": lambda x, w: w * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)),
    "Gemma's": lambda x, w: (x * torch.rsqrt((x * x).mean(-1, True) + 1e-6)) * (1.0 + w),
    "by a root": lambda x, w: x / torch.sqrt(1e-6 + x.square().mean(-1, keepdim=True)) * w,
    "by a power": lambda x, w: x * (x.pow(2).mean(dim=2, keepdim=True) + 1e-6).pow(-0.5) * w,
    "torch's": lambda x, w: F.rms_norm(x, (32,), w, 1e-6),
    "cast": lambda x, w: (
        w * (x.float() * (x.float().pow(2).mean(-1, True) + 1e-6).rsqrt()).type_as(x)
    ),
}


def randn(*shape):
    return torch.randn(shape)


def assert_same(fused, module, *args):
    """Results, and the gradients of the parameters."""
    pairs = []
    for one in (fused, module):
        torch.manual_seed(1)
        result = one(*args)
        parameters = list(one.parameters())
        gradients = torch.autograd.grad(result, parameters, torch.randn_like(result))
        pairs.append([result, *gradients])
    assert all(distance(found, wanted) < 1e-5 for found, wanted in zip(*pairs, strict=True))


@pytest.mark.parametrize("spelling", list(NORMS))
def test_a_norm_is_found_however_it_is_spelled(spelling):
    module = Norm(NORMS[spelling])
    fused = rk.fuse(module, (randn(2, 5, 32),))
    assert fused.report.counts() == {"rms_norm": 1}
    assert_same(fused, module, randn(3, 4, 32))


LOOKALIKES = {
    "the root of the sum": lambda x, w: x * torch.rsqrt(x.pow(2).sum(-1, True) + 1e-6) * w,
    "eps outside of the root": lambda x, w: x / (x.pow(2).mean(-1, True).sqrt() + 1e-6) * w,
    "another dimension": lambda x, w: x * torch.rsqrt(x.pow(2).mean(1, True) + 1e-6) * w,
    "somebody else's square": lambda x, w: (
        x * torch.rsqrt((x + 1).pow(2).mean(-1, True) + 1e-6) * w
    ),
    "a fourth power": lambda x, w: x * torch.rsqrt(x.pow(4).mean(-1, True) + 1e-6) * w,
    "its variance given, too": lambda x, w: (
        (v := x.pow(2).mean(-1, True)) * 0 + x * torch.rsqrt(v + 1e-6) * w
    ),
}


@pytest.mark.parametrize("spelling", list(LOOKALIKES))
def test_what_is_no_norm_is_left_as_it_is(spelling):
    module = Norm(LOOKALIKES[spelling])
    fused = rk.fuse(module, (randn(2, 5, 32),))
    assert fused.report.rewrites == []
    assert type(fused) is Norm
    assert "no pattern found, left as it is" in str(fused.report)
    assert torch.equal(fused(x := randn(2, 5, 32)), module(x))


class Block(nn.Module):
    """Two linear layers and a norm, for a forward that a test gives it."""

    def __init__(self, forward, width=32, bias=True):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.one, self.other = (nn.Linear(width, width, bias=bias) for _ in "12")
        self.dropout = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.randn(width, width))
        self.told = forward

    def forward(self, x):
        return self.told(self, x)


def gelu(x):
    return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


FORWARDS = {
    "norm + linear": (lambda m, x: m.one(m.norm(x)), "layer_norm_linear"),
    "with an activation": (lambda m, x: F.relu(m.one(m.norm(x))), "layer_norm_linear"),
    "with a spelled out one": (
        lambda m, x: gelu(m.one(m.norm(x))) + x,
        "layer_norm_linear",
    ),
    "a product with a matrix": (lambda m, x: x + x.sin() @ m.weight, "linear_add"),
    "of a flat one": (
        lambda m, x: x + torch.mm(x.sin().reshape(-1, 32), m.weight).view(x.shape),
        "linear_add",
    ),
    "its bias added later": (lambda m, x: (x.sin() @ m.weight.T + m.one.bias) + x, "linear_add"),
    "silu by a sigmoid": (
        lambda m, x: (g := m.one(x)) * torch.sigmoid(g) * m.other(x),
        "swiglu",
    ),
    "softmax": (
        lambda m, x: torch.softmax(x @ x.mT / 5.0 + x[:, :, :1].mT.detach().exp().log(), -1),
        "masked_softmax",
    ),
    "softmax of what is masked": (
        lambda m, x: (
            (x @ m.weight @ x.mT)
            .masked_fill(torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1), -math.inf)
            .softmax(-1)
        ),
        "masked_softmax",
    ),
    "what is changed when it is read no more": (
        lambda m, x: (y := x.clone(), h := m.one(y), y.mul_(2), h + y)[-1],
        "linear_add",
    ),
    "a residual in place": (lambda m, x: m.one(x.sin()).add_(x), "linear_add"),
}


@pytest.mark.parametrize("name", list(FORWARDS))
def test_a_pattern_is_found_however_it_is_spelled(name):
    forward, wanted = FORWARDS[name]
    module = Block(forward).eval()
    fused = rk.fuse(module, (randn(2, 5, 32),))
    assert " ".join(sorted(fused.report.counts())) == wanted
    x = randn(3, 4, 32)
    torch.testing.assert_close(fused(x), module(x), rtol=1e-5, atol=1e-5)


UNTOUCHED = {
    "a norm that two layers use": lambda m, x: m.one(n := m.norm(x)) * m.other(n),
    "a norm that is a result": lambda m, x: (m.one(n := m.norm(x)), n),
    "a linear layer that is used elsewhere": lambda m, x: (y := m.one(x)) * 2 + (x + y),
    "dropout between": lambda m, x: x + m.dropout(m.one(x)),
    "a residual of another shape": lambda m, x: x[:, :1] + m.one(x),
    "a residual times two": lambda m, x: torch.add(m.one(x), x, alpha=2),
    "a change in between": lambda m, x: (y := x.clone(), h := m.one(y), y[:, 0].mul_(2), h + y)[-1],
    "a mask that learns": lambda m, x: (x @ x.mT * 0.1 + m.weight[0, 0]).softmax(-1),
    "a softmax over rows": lambda m, x: (x @ x.mT * 0.1).softmax(1),
    "a finite mask": lambda m, x: (x @ x.mT).masked_fill(x @ x.mT > 1, -1e9).softmax(-1),
}


@pytest.mark.parametrize("name", list(UNTOUCHED))
def test_a_rewrite_that_would_be_wrong_does_not_happen(name):
    module = Block(UNTOUCHED[name]).train()
    fused = rk.fuse(module, (randn(2, 5, 32),), check=False)
    assert fused.report.rewrites == []


def test_a_gate_of_two_layers_without_bias_is_one_op():
    module = Block(lambda m, x: F.silu(m.one(x)) * m.other(x), bias=False)
    fused = rk.fuse(module, (randn(2, 5, 32),))
    assert fused.report.counts() == {"gated_linear": 1}


def test_a_sum_and_its_norm_are_one_op_with_two_results():
    class Residual(Norm):
        def forward(self, x, residual):
            total = x.sin() + residual
            return self.spelling(total, self.weight), total

    module = Residual(NORMS["Llama's"])
    fused = rk.fuse(module, (randn(2, 5, 32), randn(2, 5, 32)))
    assert fused.report.counts() == {"add_rms_norm": 1}


class Rotary(nn.Module):
    """Queries, keys and values of one matrix, in the layout N x E of packed sequences."""

    def __init__(self, heads=4, kv_heads=2, size=8, by_halves=False):
        super().__init__()
        self.counts, self.size, self.by_halves = (heads, kv_heads, kv_heads), size, by_halves
        self.qkv = nn.Linear(32, sum(self.counts) * size)
        inv_freq = 100.0 ** (-torch.arange(0, size, 2) / size)
        self.register_buffer("inv_freq", inv_freq, persistent=False)

    def forward(self, x, positions):
        angles = torch.outer(positions.float(), self.inv_freq)
        parts = self.qkv(x).split([n * self.size for n in self.counts], dim=-1)
        q, k, v = (one.view(x.shape[0], -1, self.size) for one in parts)
        return self.turned(q, angles), self.turned(k, angles), v

    def turned(self, x, angles):
        first, second = x.chunk(2, dim=-1)
        if self.by_halves:
            cos, sin = angles.cos()[:, None] * 1.5, angles.sin()[:, None] * 1.5
            return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
        table = torch.cat((angles, angles), -1)
        cos, sin = table.cos().unsqueeze(1), table.sin().unsqueeze(1)
        return x * cos + torch.cat((-second, first), -1) * sin


@pytest.mark.parametrize("by_halves", [False, True])
def test_rotary_positions_behind_one_matrix_are_one_op(by_halves):
    module = Rotary(by_halves=by_halves)
    fused = rk.fuse(module, (randn(6, 32), torch.arange(6)))
    assert fused.report.counts() == {"linear_rope": 1}
    arguments = randn(11, 32), torch.arange(3, 14)
    torch.testing.assert_close(fused(*arguments), module(*arguments), rtol=1e-5, atol=1e-5)


def test_frequencies_that_learn_keep_their_gradient():
    module = Rotary()
    del module.inv_freq
    module.inv_freq = nn.Parameter(torch.rand(4))
    fused = rk.fuse(module, (randn(6, 32), torch.arange(6)))
    assert fused.report.rewrites == []


def test_a_head_and_its_loss_in_every_spelling():
    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(32, 50, bias=False)

        def forward(self, x, labels):
            logits = self.head(x)[:, :-1].float()
            wanted = labels[:, 1:].reshape(-1)
            return F.cross_entropy(logits.reshape(-1, 50), wanted, reduction="sum")

    module, labels = Head(), torch.randint(50, (2, 5))
    labels[0, :3] = -100
    fused = rk.fuse(module, (randn(2, 5, 32), labels))
    assert fused.report.counts() == {"linear_cross_entropy": 1}
    assert_same(fused, module, randn(3, 7, 32), torch.randint(50, (3, 7)))


def test_dropout_is_active_in_training_alone():
    module = Block(lambda m, x: x + m.dropout(m.one(x)))
    fused = rk.fuse(module.eval(), (randn(2, 5, 32),))
    assert fused.report.counts() == {"linear_add": 1}
    x = randn(2, 5, 32)
    assert torch.equal(fused(x), fused(x))
    fused.train()
    assert not torch.equal(fused(x), fused(x))
    assert not module.training
    fused.eval()
    torch.testing.assert_close(fused(x), module(x))


def test_a_copy_is_independent():
    module = Block(lambda m, x: x + m.one(x))
    fused = rk.fuse(module, (randn(2, 5, 32),))
    other, x = copy.deepcopy(fused), randn(2, 5, 32)
    before = fused(x)
    with torch.no_grad():
        other.one.weight.zero_()
    assert torch.equal(fused(x), before)
    torch.testing.assert_close(other(x), x + module.one.bias)


def test_buffers_and_constants_move_with_the_module():
    module = Rotary()
    fused = rk.fuse(module, (randn(6, 32), torch.arange(6))).double()
    arguments = randn(6, 32).double(), torch.arange(6)
    with pytest.raises(rk.FusionError, match=r"x: expected torch.float32 \w+x32 on cpu, found"):
        fused(*arguments)
    again = rk.fuse(module.double(), arguments)
    torch.testing.assert_close(again(*arguments), module(*arguments))
