"""Ops as torch sees them: under autograd and torch.compile, and with arguments that do not fit."""

from functools import partial

import pytest
import torch

import raylm_kernels as rk
from raylm_kernels import ArgumentError


def test_torch_compile_keeps_an_op_in_one_graph():
    def block(x, residual, weight):
        normed, total = rk.add_rms_norm(x, residual, weight, 1e-5)
        return rk.swiglu(normed, total)

    torch.manual_seed(0)
    inputs = [torch.randn(4, 64, requires_grad=True), torch.randn(4, 64), torch.randn(64)]
    compiled = torch.compile(block, backend="aot_eager", fullgraph=True)
    found, expected = compiled(*inputs), block(*inputs)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    gradient, inputs[0].grad = inputs[0].grad, None
    expected.sum().backward()
    torch.testing.assert_close(gradient, inputs[0].grad)


@pytest.mark.parametrize("causal", [True, False])
def test_torch_compile_keeps_the_results_that_gradients_are_made_of(causal):
    def loss(attention, q, k, v):
        out, sums = attention(q, k, v, causal=causal)
        return out.square().sum() + sums.sum()

    torch.manual_seed(0)
    inputs = [torch.randn(1, 9, 2, 16, requires_grad=True) for _ in "qkv"]
    compiled = torch.compile(partial(loss, rk.attention), backend="aot_eager", fullgraph=True)
    found = torch.autograd.grad(compiled(*inputs), inputs)
    expected = torch.autograd.grad(loss(rk.attention.reference, *inputs), inputs)
    torch.testing.assert_close(found, expected)


def test_gradients_of_some_arguments_only():
    x, weight = torch.randn(3, 32, requires_grad=True), torch.randn(32)
    rk.layer_norm(x, weight).square().sum().backward()
    plain = x.detach().requires_grad_()
    torch.nn.functional.layer_norm(plain, (32,), weight).square().sum().backward()
    torch.testing.assert_close(x.grad, plain.grad, rtol=1e-4, atol=1e-5)


def test_a_result_that_nobody_uses_has_no_gradient():
    x, residual = (torch.randn(3, 32, requires_grad=True) for _ in "xr")
    _, total = rk.add_rms_norm(x, residual, torch.ones(32))
    total.sum().backward()
    assert torch.equal(x.grad, torch.ones(3, 32))


def test_a_gradient_with_a_graph_is_the_same():
    x, weight = torch.randn(3, 32, requires_grad=True), torch.randn(32, requires_grad=True)
    loss = rk.rms_norm(x, weight).square().sum()
    plain = torch.autograd.grad(loss, [x, weight], retain_graph=True)
    found = torch.autograd.grad(loss, [x, weight], create_graph=True)
    assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))


@pytest.mark.parametrize("of", ["the input", "the gradient that comes in"])
def test_a_second_derivative_is_refused_by_name(of):
    x, weight = torch.randn(3, 32, requires_grad=True), torch.randn(32)
    scale = torch.ones((), requires_grad=True)
    y = rk.rms_norm(x, weight)
    loss = y.square().sum() if of == "the input" else (y * scale).sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    message = "rms_norm has no second derivative; leave out create_graph=True, or call"
    with pytest.raises(RuntimeError, match=message):
        gradient.sum().backward()


def test_the_reference_has_the_second_derivative_that_the_op_names():
    x, weight = torch.randn(3, 32, requires_grad=True), torch.randn(32)
    loss = rk.rms_norm.reference(x, weight).square().sum()
    (gradient,) = torch.autograd.grad(loss, x, create_graph=True)
    gradient.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: rk.rms_norm(torch.ones(2, 32), torch.ones(16)),
            r"rms_norm: weight: expected shape \[32\], found float32\[16\] on cpu",
        ),
        (
            lambda: rk.swiglu(torch.ones(2, 32), torch.ones(2, 31)),
            r"swiglu: up: expected shape \[2, 32\], found float32\[2, 31\] on cpu",
        ),
        (
            lambda: rk.rope(torch.ones(2, 1, 5), torch.arange(2), torch.ones(2)),
            r"rope: x_NHD: expected heads of even size, found float32\[2, 1, 5\]",
        ),
        (
            lambda: rk.norm_linear(torch.ones(2, 4), torch.ones(4), torch.ones(3, 4), None, "tanh"),
            r"norm_linear: activation: expected one of \['none', .*\], found 'tanh'",
        ),
        (
            lambda: rk.quantize_int8(torch.ones(2, 33)),
            r"quantize_int8: x: expected a last dimension that is a multiple of 32",
        ),
        (
            lambda: rk.quantize_int8(torch.ones(2, 32, dtype=torch.int32)),
            r"quantize_int8: x: expected a floating-point tensor, found int32\[2, 32\]",
        ),
        (
            lambda: rk.weight_only_linear(
                torch.ones(1, 32), torch.ones(4, 32, dtype=torch.uint8), torch.ones(4, 1)
            ),
            r"weight_only_linear: codes: expected torch.int8 without or with minima",
        ),
        (
            lambda: rk.paged_attention(
                torch.ones(1, 3, 4), *[torch.ones(8, 2, 4)] * 2, torch.arange(8), torch.arange(1)
            ),
            r"paged_attention: keys_SKD: expected a number of heads that divides 3",
        ),
        (
            lambda: rk.grouped_linear(torch.ones(5, 4), torch.ones(2, 3, 4), torch.tensor([3, 4])),
            r"grouped_linear: counts_X: expected at most the 5 rows of x_MI in all, found \[3, 4\]",
        ),
        (
            lambda: rk.rms_norm(torch.ones(2, 32), torch.ones(32, device="meta")),
            r"rms_norm: weight: expected a tensor on cpu, found",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_row_stays_alone(value):
    x = torch.randn(4, 64)
    x[1, 3] = value
    clean = rk.rms_norm(x, torch.ones(64))
    assert clean[[0, 2, 3]].isfinite().all()
    assert not clean[1].isfinite().all()


def test_strided_tensors_are_taken():
    x = torch.randn(64, 6).T
    torch.testing.assert_close(
        rk.rms_norm(x, torch.ones(64)), rk.rms_norm(x.contiguous(), torch.ones(64))
    )


def test_nothing_can_be_hidden_by_an_empty_cache():
    found = rk.paged_attention(
        torch.ones(2, 2, 32), *[torch.ones(4, 1, 32)] * 2, torch.arange(0), torch.arange(2)
    )
    assert torch.equal(found, torch.zeros(2, 2, 32))
