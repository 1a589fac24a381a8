"""A whole layer of experts by Triton's kernels: output and gradients are the references'."""

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from raylm_kernels import catalog
from raylm_kernels.comparison import fault
from raylm_kernels.implementation import REFERENCE

registry = catalog.registry
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytestmark = pytest.mark.skipif(
    "triton" not in registry.entry("grouped_linear").implementations, reason="needs Triton"
)
NAMES = ("x_NE", "router_XE", "gate_XIE", "up_XIE", "down_XEI")


class Called(torch.autograd.Function):
    """An op and its gradients by the implementation of a name, whatever serves them."""

    @staticmethod
    def forward(ctx, op, name, *args):
        ctx.op, ctx.name, ctx.args = op, name, args
        results = registry.entry(op).implementations[name].function(*args)
        whole = results if isinstance(results, tuple) else (results,)
        ctx.mark_non_differentiable(*[r for r in whole if not r.is_floating_point()])
        return results

    @staticmethod
    def backward(ctx, *grads):
        backward = registry.entry(f"{ctx.op}_backward").implementations[ctx.name].function
        found = iter(backward(list(grads), *ctx.args))
        places = registry.entry(ctx.op).gradients
        return None, None, *(next(found) if p in places else None for p in range(len(ctx.args)))


def experts_layer(name, x_NE, router_XE, gate_XIE, up_XIE, down_XEI, k):
    def call(op, *args):
        return Called.apply(op, name, *args)

    weights_NK, experts_NK = call("route_top_k", linear(x_NE, router_XE), k, k > 1)
    rows_ME, places_M, counts_X = call("permute_tokens", x_NE, experts_NK, len(router_XE))
    gate, up = (call("grouped_linear", rows_ME, w, counts_X) for w in (gate_XIE, up_XIE))
    y_ME = call("grouped_linear", call("swiglu", gate, up), down_XEI, counts_X)
    return call("unpermute_tokens", y_ME, places_M, weights_NK)


def drawn(tokens, width, inner, experts):
    shapes = [(tokens, width), (experts, width), *[(experts, inner, width)] * 2]
    return [
        torch.randn(shape).mul_(shape[-1] ** -0.5 if place else 1.0).to(DEVICE)
        for place, shape in enumerate([*shapes, (experts, width, inner)])
    ]


def with_gradients(name, inputs, k, grad):
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    y = experts_layer(name, *leaves, k)
    y.backward(grad)
    return [y.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize(
    ("tokens", "width", "inner", "experts", "k"),
    [(1, 32, 48, 4, 1), (70, 40, 24, 3, 2), (130, 32, 16, 40, 3)],
)
def test_a_layer_of_experts_is_the_references(tokens, width, inner, experts, k):
    inputs = drawn(tokens, width, inner, experts)
    grad = torch.randn(tokens, width).to(DEVICE)
    found = with_gradients("triton", inputs, k, grad)
    wanted = with_gradients(REFERENCE, [t.double() for t in inputs], k, grad.double())
    for name, one, other in zip(("y_NE", *NAMES), found, wanted, strict=True):
        assert not fault(one, other.float()), name
        assert bool(one.any()), f"{name} is all zeros"


def routed(logits_NX, k):
    function = registry.entry("route_top_k").implementations["triton"].function
    return function(torch.tensor(logits_NX, device=DEVICE), k, False)


def test_among_equals_the_first_expert_comes_first():
    weights_NK, experts_NK = routed([[1.0, 2.0, 2.0, 1.0, 2.0], [0.0, -0.0, 0.0, -0.0, 0.0]], 4)
    assert experts_NK.tolist() == [[1, 2, 4, 0], [0, 1, 2, 3]]
    assert weights_NK[1].tolist() == pytest.approx([0.2] * 4)


def test_experts_are_different_and_there_whatever_the_logits_are():
    inf, nan = float("inf"), float("nan")
    _, experts_NK = routed([[nan, 1.0, nan], [-inf, 3.0, -inf], [2.0, -1e30, -3.0]], 3)
    assert experts_NK.tolist() == [[0, 2, 1], [1, 0, 2], [0, 2, 1]]


@pytest.mark.parametrize("name", [REFERENCE, "triton"])
@pytest.mark.parametrize("renormalise", [False, True])
def test_a_nan_of_either_sign_is_in_all_weights_and_gradients_of_its_token(name, renormalise):
    nan = torch.nan
    rows = [[1.0, nan, 2.0, 3.0], [1.0, -nan, 2.0, 3.0], [4.0, 1.0, 2.0, 3.0]]
    logits = torch.tensor(rows, device=DEVICE, requires_grad=True)
    with np.errstate(invalid="ignore"):  # in Triton's interpreter
        weights_NK, experts_NK = Called.apply("route_top_k", name, logits, 2, renormalise)
        weights_NK[:, 0].sum().backward()
    assert weights_NK[:2].isnan().all()
    assert weights_NK[2].isfinite().all()
    assert logits.grad[:2].isnan().all()
    assert logits.grad[2].isfinite().all()
    assert experts_NK[2].tolist() == [0, 3]
    if name == "triton":
        assert experts_NK[:2].tolist() == [[1, 3], [1, 3]]


def test_rows_of_a_place_that_nothing_comes_from_are_zeros():
    """Places that are no permutation: nothing is read or written outside."""
    function = registry.entry("unpermute_tokens").implementations["triton"].function
    y_ME = torch.ones(4, 8, device=DEVICE)
    places_M = torch.tensor([0, 3, 3, 9], device=DEVICE)
    found = function(y_ME, places_M, torch.ones(2, 2, device=DEVICE))
    assert found.tolist() == [[1.0] * 8, [1.0] * 8]
