"""Cross-entropy, and its gradient: every logit comes from memory once."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import loss
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.softmax import (
    LN_2,
    LOG2_E,
    STAGES,
    kept_and_sums,
    kept_tiles,
    last_tile,
    log_probability,
    log_total,
    picked,
    row_sums,
    tile,
    tiles,
    with_close_columns,
)

_LN_2, _LOG2_E = tl.constexpr(LN_2), tl.constexpr(LOG2_E)
_IGNORED = tl.constexpr(loss.IGNORED)


@triton.jit
def cross_entropy_kernel(
    logits_ptr,
    targets_ptr,
    losses_ptr,
    vocabulary,
    stride,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(targets_ptr + row)
    loss = 0.0
    if target != _IGNORED:
        row_ptr = logits_ptr + row * stride
        x = picked(row_ptr, target, vocabulary)
        top, total, _ = row_sums(row_ptr, vocabulary, _LOG2_E, False, VECTORS, WIDTH)
        loss = -log_probability(x, top, total, _LOG2_E) * _LN_2
    tl.store(losses_ptr + row, loss)


@triton.jit
def _put(grad_ptr, logits, at, inside, log_sum, weight):
    gradient = tl.exp2(logits.to(tl.float32) * _LOG2_E - log_sum) * weight
    gradient = gradient.to(grad_ptr.dtype.element_ty)
    tl.store(grad_ptr + at, gradient, inside, eviction_policy="evict_first")


@triton.jit
def _put_zeros(grad_ptr, vocabulary, VECTORS: tl.constexpr, WIDTH: tl.constexpr):
    for start in range(0, vocabulary, VECTORS * WIDTH):
        at, inside = tile(start, vocabulary, VECTORS, WIDTH)
        tl.store(grad_ptr + at, tl.zeros((VECTORS, WIDTH), grad_ptr.dtype.element_ty), inside)


@triton.jit
def cross_entropy_gradient_kernel(
    logits_ptr,
    targets_ptr,
    weights_ptr,
    losses_ptr,
    grad_ptr,
    vocabulary,
    stride,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """(softmax - one_hot(target)) * weight, also in place."""
    STEP: tl.constexpr = VECTORS * WIDTH
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(targets_ptr + row)
    weight = tl.load(weights_ptr + row).to(tl.float32)
    row_ptr, grad_row_ptr = logits_ptr + row * stride, grad_ptr + row * vocabulary
    loss = 0.0
    if target != _IGNORED:
        x = picked(row_ptr, target, vocabulary)
        first, last, top, total, _ = kept_and_sums(
            row_ptr, vocabulary, _LOG2_E, False, VECTORS, WIDTH
        )
        log_p = log_probability(x, top, total, _LOG2_E)
        loss = -log_p * _LN_2
        log_sum = log_total(top, total, _LOG2_E)
        end = last_tile(vocabulary, STEP)
        at, inside = tile(0, vocabulary, VECTORS, WIDTH)
        _put(grad_row_ptr, first, at, inside, log_sum, weight)
        at, inside = tile(end * STEP, vocabulary, VECTORS, WIDTH)
        _put(grad_row_ptr, last, at, inside, log_sum, weight)
        for i in tl.range(1, end, num_stages=STAGES):  # backwards: those are in the L2 rather
            here = tile((end - i) * STEP, vocabulary, VECTORS, WIDTH)[0]
            others = tl.load(row_ptr + here, eviction_policy="evict_first")
            _put(grad_row_ptr, others, here, None, log_sum, weight)
        tl.debug_barrier()  # the target's, which another thread has put, is put again
        gradient = ((tl.exp2(log_p) - 1.0) * weight).to(grad_ptr.dtype.element_ty)
        tl.store(grad_row_ptr + target, gradient, (target >= 0) & (target < vocabulary))
    else:
        _put_zeros(grad_row_ptr, vocabulary, VECTORS, WIDTH)
    if losses_ptr is not None:
        tl.store(losses_ptr + row, loss)


@launched(loss.cross_entropy, lambda logits_NV, targets_N: logits_NV.numel() > 0)
def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    losses = logits_NV.new_empty(len(logits_NV), dtype=torch.float32)
    put_losses(with_close_columns(logits_NV), targets_N.contiguous(), losses)
    return losses


@launched("cross_entropy_backward", lambda grads, logits_NV, targets_N: logits_NV.numel() > 0)
def cross_entropy_backward(
    grads: Sequence[Tensor], logits_NV: Tensor, targets_N: Tensor
) -> list[Tensor]:
    logits = with_close_columns(logits_NV)
    gradient = torch.empty_like(logits_NV, memory_format=torch.contiguous_format)
    put_gradient(logits, targets_N.contiguous(), grads[0].contiguous(), None, gradient)
    return [gradient]


def put_losses(logits_NV: Tensor, targets_N: Tensor, losses_N: Tensor) -> None:
    cross_entropy_kernel[(len(logits_NV),)](
        *(logits_NV, targets_N, losses_N),
        logits_NV.shape[1],
        logits_NV.stride(0),
        **tiles(logits_NV),
    )


def put_gradient(
    logits_NV: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    losses_N: Tensor | None,
    gradient_NV: Tensor,
) -> None:
    """By the logits, of the sum of weights * losses; `gradient_NV` may be `logits_NV`."""
    cross_entropy_gradient_kernel[(len(logits_NV),)](
        *(logits_NV, targets_N, weights_N, losses_N, gradient_NV),
        logits_NV.shape[1],
        logits_NV.stride(0),
        **kept_tiles(logits_NV),
    )
