"""Calls that `fuse` or what it gives refuses, with the remedy; and what a report tells."""

import dataclasses

import pytest
import torch
from torch import nn

import raylm_kernels as rk
from raylm_kernels import FusionError
from raylm_kernels.fusion import check, launches


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, mask=None, *, scale: float = 1.0):
        return x + self.linear(x) if mask is None else (x @ x.mT * scale + mask).softmax(-1)


def fused(*args, **kwargs):
    return rk.fuse(Residual(), args or (torch.ones(2, 3, 8),), kwargs)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rk.fuse(Residual()), r"Residual needs an example of its call, and missing .* 'x'"),
        (lambda: rk.fuse(torch.sin, (torch.ones(2),)), "fuse takes an nn.Module, found builtin"),
        (
            lambda: rk.fuse(torch.compile(Residual()), (torch.ones(2, 8),)),
            "cannot look into a compiled module: pass module._orig_mod",
        ),
        (
            lambda: rk.fuse(Residual().to(torch.float8_e4m3fn), (torch.ones(2, 8),)),
            "linear.weight is torch.float8_e4m3fn; fuse takes fp64, fp32, bf16 and fp16: dequant",
        ),
        (
            lambda: rk.fuse(Residual().to("meta"), (torch.ones(2, 8),)),
            "linear.weight has no values, for it is on meta: load the weights first",
        ),
    ],
)
def test_what_cannot_be_fused_is_refused_with_the_remedy(make, message):
    with pytest.raises(FusionError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda f: f(torch.ones(2, 3, 9)),
            r"x: expected torch.float32 \w+x\w+x8 on cpu, found .*9",
        ),
        (
            lambda f: f(torch.ones(2, 3, 8).half()),
            "x: expected torch.float32 .* found torch.float16",
        ),
        (lambda f: f(torch.ones(2, 8)), "x: expected .* found torch.float32 2x8 on cpu"),
        (lambda f: f(torch.ones(2, 3, 8), torch.ones(3, 3)), "mask: expected None, found"),
        (lambda f: f(torch.ones(2, 3, 8), scale=2.0), "scale: expected 1.0, found 2.0"),
        (lambda f: f(torch.ones(2, 3, 8), other=1), "unexpected keyword argument 'other'"),
    ],
)
def test_a_call_unlike_the_example_is_refused_with_the_remedy(call, message):
    with pytest.raises(FusionError, match=message):
        call(fused())


def test_a_size_that_became_a_number_is_fixed_and_the_error_says_so():
    class Flat(Residual):
        def forward(self, x):
            return super().forward(x).view(len(x), -1)

    one = rk.fuse(Flat(), (torch.ones(2, 3, 8),))
    assert one(torch.ones(2, 5, 8)).shape == (2, 40)
    with pytest.raises(FusionError, match=r"as len\(x\) does: take x.shape\[0\]"):
        one(torch.ones(4, 3, 8))


def test_a_size_of_one_is_fixed_and_the_error_says_so():
    with pytest.raises(FusionError, match="sizes of 1 are fixed: let the example have 2"):
        fused(torch.ones(1, 3, 8))(torch.ones(2, 3, 8))


def test_arguments_may_come_by_name_and_in_any_order():
    one = rk.fuse(Residual(), (torch.ones(2, 3, 8),), {"scale": 0.5, "mask": torch.zeros(3, 3)})
    assert one.report.counts() == {"masked_softmax": 1}
    x, mask = torch.randn(4, 5, 8), torch.randn(5, 5)
    wanted = (x @ x.mT * 0.5 + mask).softmax(-1)
    torch.testing.assert_close(one(mask=mask, scale=0.5, x=x), wanted)


def test_a_mask_whose_gradient_would_be_lost_is_refused():
    one = fused(torch.ones(2, 3, 8), torch.zeros(3, 3))
    x, mask = torch.randn(2, 3, 8), torch.zeros(3, 3, requires_grad=True)
    with pytest.raises(FusionError, match="mask: expected no gradient, which the fused op would"):
        one(x, mask)
    learning = rk.fuse(Residual(), (x, mask))
    assert learning.report.rewrites == []


def test_autocast_is_refused_with_the_remedy():
    one = fused()
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(FusionError, match=r"cast the module instead, as with module.to\("):
            one(torch.ones(2, 3, 8))
        with pytest.raises(FusionError, match="fuse outside autocast"):
            fused()


def test_an_op_that_computes_something_else_is_named(monkeypatch):
    entry = rk.registry.entry("linear_add")
    right = entry.implementations["torch"]

    def wrong(*args):
        return right.function(*args) + 0.5

    wrong_one = dataclasses.replace(right, function=wrong)
    monkeypatch.setitem(entry.implementations, "torch", wrong_one)
    monkeypatch.setattr(rk.registry._default, "_settled", {})
    message = r"Residual with linear_add differs .* off by .*without=\['linear_add'\]"
    with pytest.raises(FusionError, match=message):
        fused(torch.ones(2, 7, 8))
    assert rk.fuse(Residual(), (torch.ones(2, 7, 8),), check=False).report.worst is None


def test_an_op_can_be_left_out():
    one = rk.fuse(Residual(), (torch.ones(2, 3, 8),), without=["linear_add"])
    assert one.report.rewrites == []


def test_gradients_that_differ_are_noticed():
    class Detached(Residual):
        def forward(self, x):
            return super().forward(x.detach() + 0 * x)

    original, other = Residual(), Detached()
    other.load_state_dict(original.state_dict())
    example = (torch.ones(2, 3, 8, requires_grad=True),)
    worst, fault = check.worst_difference(original, other, example, {})
    assert worst > 0.1
    assert "the gradient of input 0 is off by" in fault


def test_launches_are_operators_that_are_no_views():
    x, weight = torch.ones(4, 8), torch.ones(6, 8)
    found = launches.cost(lambda: torch.relu((x.view(2, 2, 8) @ weight.T).transpose(0, 1)))
    assert found.launches == 2
    assert found.moved_bytes == 4 * (4 * 8 + 6 * 8 + 4 * 6) + 4 * (2 * 4 * 6)


def test_what_is_repeated_without_memory_counts_once():
    found = launches.cost(lambda: torch.ones(1, 8).expand(100, 8).neg())
    assert found.moved_bytes == 4 * 8 + 4 * 8 + 4 * 800
