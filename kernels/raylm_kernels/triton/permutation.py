"""Tokens to their experts and back, with gradients.

Rows move token by token, so that each is read once however many experts it goes to, and what a
token gets back is summed in the order of its experts.
"""

from collections.abc import Mapping, Sequence

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import moe
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.places import inverted, sorted_by_expert

_ROW = 4096
_MOST_EXPERTS = 1024
_MOST_CHOSEN = 64


@triton.jit
def _place(width, BE: tl.constexpr):
    """The token and the elements of this program."""
    blocks = tl.cdiv(width, BE)
    return tl.program_id(0) // blocks, tl.program_id(0) % blocks * BE + tl.arange(0, BE)


@triton.jit
def scatter_rows_kernel(x_ptr, rows_ptr, y_ptr, width, stride, K: tl.constexpr, BE: tl.constexpr):
    token, e = _place(width, BE)
    x = tl.load(x_ptr + token.to(tl.int64) * stride + e, e < width)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        tl.store(y_ptr + row * width + e, x, e < width)


@triton.jit
def gather_rows_kernel(
    y_ptr,
    rows_ptr,
    weights_ptr,
    x_ptr,
    width,
    K: tl.constexpr,
    HAS_WEIGHTS: tl.constexpr,
    BE: tl.constexpr,
):
    """x: the sum of each token's rows of y, times its weights where there are some."""
    token, e = _place(width, BE)
    sums = tl.zeros((BE,), tl.float32)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        y = tl.load(y_ptr + row * width + e, (row >= 0) & (e < width), 0.0).to(tl.float32)
        if HAS_WEIGHTS:
            y *= tl.load(weights_ptr + token * K + k).to(tl.float32)
        sums += y
    at = x_ptr + token.to(tl.int64) * width + e
    tl.store(at, sums.to(x_ptr.dtype.element_ty), e < width)


@triton.jit
def unpermute_backward_kernel(
    grad_ptr,
    y_ptr,
    rows_ptr,
    weights_ptr,
    grad_y_ptr,
    grad_weights_ptr,
    width,
    K: tl.constexpr,
    BE: tl.constexpr,
):
    token = tl.program_id(0)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        weight = tl.load(weights_ptr + token * K + k).to(tl.float32)
        sums = tl.zeros((BE,), tl.float32)
        for from_e in range(0, width, BE):
            e = from_e + tl.arange(0, BE)
            inside = (row >= 0) & (e < width)
            grad = tl.load(grad_ptr + token.to(tl.int64) * width + e, inside, 0.0).to(tl.float32)
            y = tl.load(y_ptr + row * width + e, inside, 0.0).to(tl.float32)
            sums += grad * y
            grad_y = (weight * grad).to(grad_y_ptr.dtype.element_ty)
            tl.store(grad_y_ptr + row * width + e, grad_y, inside)
        total = tl.sum(sums, 0).to(grad_weights_ptr.dtype.element_ty)
        tl.store(grad_weights_ptr + token * K + k, total)


def _config(width: int) -> Mapping[str, int]:
    """Four loads of 16 bytes in each thread."""
    block = min(triton.next_power_of_2(width), _ROW)
    return {"BE": block, "num_warps": max(block // 1024, 1)}


def _gathered(y_ME: Tensor, rows_NK: Tensor, weights_NK: Tensor | None, like: Tensor) -> Tensor:
    """In the dtype of `like`."""
    (tokens, k), width = rows_NK.shape, y_ME.shape[1]
    x_NE = like.new_empty(tokens, width)
    config = _config(width)
    gather_rows_kernel[(tokens * triton.cdiv(width, config["BE"]),)](
        y_ME.contiguous(),
        rows_NK,
        None if weights_NK is None else weights_NK.contiguous(),
        x_NE,
        width,
        K=k,
        HAS_WEIGHTS=weights_NK is not None,
        **config,
    )
    return x_NE


def _fits_permute(x_NE: Tensor, experts_NK: Tensor, num_experts: int) -> bool:
    fits = num_experts <= _MOST_EXPERTS and experts_NK.shape[1] <= _MOST_CHOSEN
    return fits and x_NE.numel() > 0 and 0 < experts_NK.numel() < 2**31


@launched(moe.permute_tokens, _fits_permute)
def permute_tokens(
    x_NE: Tensor, experts_NK: Tensor, num_experts: int
) -> tuple[Tensor, Tensor, Tensor]:
    (tokens, width), k = x_NE.shape, experts_NK.shape[1]
    x_NE = x_NE if x_NE.stride(1) == 1 else x_NE.contiguous()
    found = sorted_by_expert(experts_NK, num_experts)
    y_ME = x_NE.new_empty(tokens * k, width)
    config = _config(width)
    scatter_rows_kernel[(tokens * triton.cdiv(width, config["BE"]),)](
        x_NE, found.rows_NK, y_ME, width, x_NE.stride(0), K=k, **config
    )
    return y_ME, found.places_M, found.counts_X


@launched(
    "permute_tokens_backward",
    lambda grads, *args: grads[0] is not None and _fits_permute(*args),
)
def permute_tokens_backward(
    grads: Sequence[Tensor], x_NE: Tensor, experts_NK: Tensor, num_experts: int
) -> list[Tensor]:
    return [_gathered(grads[0], sorted_by_expert(experts_NK, num_experts).rows_NK, None, x_NE)]


def _fits_unpermute(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> bool:
    return y_ME.numel() > 0 and len(y_ME) < 2**31 and weights_NK.shape[1] <= _MOST_CHOSEN


@launched(moe.unpermute_tokens, _fits_unpermute)
def unpermute_tokens(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> Tensor:
    rows_NK = inverted(places_M).view(weights_NK.shape)
    return _gathered(y_ME, rows_NK, weights_NK, y_ME)


@launched("unpermute_tokens_backward", lambda grads, *args: _fits_unpermute(*args))
def unpermute_tokens_backward(
    grads: Sequence[Tensor], y_ME: Tensor, places_M: Tensor, weights_NK: Tensor
) -> list[Tensor]:
    (tokens, k), width = weights_NK.shape, y_ME.shape[1]
    grad_y, grad_weights = y_ME.new_empty(y_ME.shape), weights_NK.new_empty(tokens, k)
    config = _config(width)
    unpermute_backward_kernel[(tokens,)](
        grads[0].contiguous(),
        y_ME.contiguous(),
        inverted(places_M),
        weights_NK.contiguous(),
        grad_y,
        grad_weights,
        width,
        K=k,
        **config,
    )
    return [grad_y, grad_weights]
