"""A linear layer with what stands before and after it in a transformer block."""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear

from raylm_kernels.arguments import require, require_integers, require_last, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.gated import ACTIVATIONS, Activation
from raylm_kernels.reference.numbers import wide
from raylm_kernels.reference.rope import rotated


def _check_linear(op: str, x: Tensor, named: dict[str, Tensor], bias: Tensor | None) -> int:
    for name, weight in named.items():
        require(weight.ndim == 2, op, name, "two dimensions", weight)
        require_shape(op, name, weight, (weight.shape[0], x.shape[-1]))
    outputs = next(iter(named.values())).shape[0]
    if bias is not None:
        require_shape(op, "bias", bias, (outputs,))
    return outputs


def _check_activation(op: str, activation: str) -> None:
    require(activation in ACTIVATIONS, op, "activation", f"one of {list(ACTIVATIONS)}", activation)


def _check_layer_norm_linear(
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> None:
    name = "layer_norm_linear"
    require_last(name, "norm_weight", norm_weight, x)
    if norm_bias is not None:
        require_last(name, "norm_bias", norm_bias, x)
    _check_linear(name, x, {"weight": weight}, bias)
    _check_activation(name, activation)


@op(
    gradients=("x", "norm_weight", "norm_bias", "weight", "bias"),
    check=_check_layer_norm_linear,
)
def layer_norm_linear(
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    activation: str = "none",
    eps: float = 1e-5,
) -> Tensor:
    """activation(layer_norm(x) weight^T + bias), as GPT-2's and BERT's blocks have it."""
    normed = layer_norm(x, x.shape[-1:], norm_weight, norm_bias, eps)
    activate: Activation = ACTIVATIONS[activation]
    return activate(linear(normed, weight, bias))


def _check_gated_linear(x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str) -> None:
    _check_linear("gated_linear", x, {"gate_weight": gate_weight, "up_weight": up_weight}, None)
    require_shape("gated_linear", "up_weight", up_weight, tuple(gate_weight.shape))
    _check_activation("gated_linear", activation)


@op(gradients=("x", "gate_weight", "up_weight"), check=_check_gated_linear)
def gated_linear(
    x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str = "silu"
) -> Tensor:
    """activation(x gate_weight^T) * (x up_weight^T), the first half of a gated MLP."""
    activate: Activation = ACTIVATIONS[activation]
    return activate(linear(x, gate_weight)) * linear(x, up_weight)


def _check_linear_add(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor) -> None:
    outputs = _check_linear("linear_add", x, {"weight": weight}, bias)
    require_shape("linear_add", "residual", residual, (*x.shape[:-1], outputs))


@op(gradients=("x", "weight", "bias", "residual"), check=_check_linear_add)
def linear_add(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor) -> Tensor:
    """residual + (x weight^T + bias)."""
    return residual + linear(x, weight, bias)


def _check_linear_rope(
    x_NE: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    num_heads: int,
    num_kv_heads: int,
    factor: float,
) -> None:
    name = "linear_rope"
    require(x_NE.ndim == 2, name, "x_NE", "two dimensions, N x E", x_NE)
    size = 2 * inv_freq.numel()
    require_shape(name, "weight", weight, ((num_heads + 2 * num_kv_heads) * size, x_NE.shape[1]))
    _check_linear(name, x_NE, {"weight": weight}, bias)
    require_shape(name, "positions_N", positions_N, (len(x_NE),))
    require_integers(name, "positions_N", positions_N)


@op(gradients=("x_NE", "weight", "bias"), check=_check_linear_rope)
def linear_rope(
    x_NE: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    num_heads: int,
    num_kv_heads: int,
    factor: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries N x H x D, keys and values N x K x D of one matrix whose rows are those of q, of k
    and of v; queries and keys turned as `rope` does."""
    counts = [num_heads, num_kv_heads, num_kv_heads]
    heads = linear(x_NE, weight, bias).reshape(len(x_NE), sum(counts), 2 * inv_freq.numel())
    q, k, v = torch.split(heads, counts, dim=1)
    turned = [rotated(t, positions_N, inv_freq, factor) for t in (q, k)]
    return turned[0], turned[1], v.contiguous()


def _check_masked_softmax(scores: Tensor, mask: Tensor | None, scale: float) -> None:
    if mask is None:
        return
    pairs = zip(reversed(mask.shape), reversed(scores.shape), strict=False)
    fits = mask.ndim <= scores.ndim and all(one in (1, other) for one, other in pairs)
    wanted = f"a shape that broadcasts to {list(scores.shape)}"
    require(fits, "masked_softmax", "mask", wanted, mask)


@op(gradients=("scores",), check=_check_masked_softmax)
def masked_softmax(scores: Tensor, mask: Tensor | None = None, scale: float = 1.0) -> Tensor:
    """softmax(scores * scale + mask) over the last dimension in fp32, in the dtype of the scores.
    Of a bool mask, what is False is left out; a row without anything left is NaN."""
    value = wide(scores) * scale
    if mask is not None:
        value = value.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else value + mask
    return value.softmax(-1).to(scores.dtype)
