"""A linear layer, and the residual that it is added to."""

from collections.abc import Sequence

from torch import Tensor

from raylm_kernels.reference import fused
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.linear import linear
from raylm_kernels.triton.linear_backward import linear_backward


def _takes(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor) -> bool:
    return min(x.numel(), weight.numel()) > 0 and x.dtype == weight.dtype


@launched(fused.linear_add, _takes)
def linear_add(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor) -> Tensor:
    return linear(x, weight, bias, residual)


@launched("linear_add_backward", lambda grads, *args: _takes(*args))
def linear_add_backward(
    grads: Sequence[Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor
) -> list[Tensor]:
    grad = grads[0]
    gradients = linear_backward(grad.to(x.dtype), x, weight, bias)
    return [*gradients, grad.to(residual.dtype, copy=True)]
