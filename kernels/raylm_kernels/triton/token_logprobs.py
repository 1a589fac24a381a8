"""Log-probabilities of tokens and the entropy they are drawn from, and the gradients of both."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import loss
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.softmax import (
    LEAST,
    LN_2,
    LOG2_E,
    kept_and_sums,
    kept_tiles,
    log_total,
    picked,
    row_sums,
    tile,
    tiles,
    with_close_columns,
)

_LN_2 = tl.constexpr(LN_2)
_IGNORED = tl.constexpr(loss.IGNORED)


@triton.jit
def token_logprobs_kernel(
    logits_ptr,
    tokens_ptr,
    logprobs_ptr,
    entropies_ptr,
    vocabulary,
    stride,
    scale,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    row_ptr = logits_ptr + row * stride
    token = tl.load(tokens_ptr + row)
    x = picked(row_ptr, tl.where(token == _IGNORED, 0, token), vocabulary)
    top, total, moment = row_sums(row_ptr, 0, vocabulary, scale, True, VECTORS, WIDTH)
    tl.store(logprobs_ptr + row, (x * scale - log_total(top, total, scale)) * _LN_2)
    tl.store(entropies_ptr + row, (tl.log2(total) - moment / total) * _LN_2)


@triton.jit
def _put(grad_ptr, logits, at, inside, scale, log_sum, entropy, token, grad, grad_entropy):
    log_p = logits.to(tl.float32) * scale - log_sum
    p = tl.exp2(log_p)
    gradient = tl.where(at == token, grad, 0.0) - p * grad
    gradient -= grad_entropy * p * (tl.maximum(log_p, LEAST) * _LN_2 + entropy)
    gradient = gradient.to(grad_ptr.dtype.element_ty)
    tl.store(grad_ptr + at, gradient, inside, eviction_policy="evict_first")


@triton.jit
def token_logprobs_backward_kernel(
    grad_logprobs_ptr,
    grad_entropies_ptr,
    logits_ptr,
    tokens_ptr,
    grad_ptr,
    vocabulary,
    stride,
    scale,
    KEPT: tl.constexpr,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    row_ptr, grad_row_ptr = logits_ptr + row * stride, grad_ptr + row * vocabulary
    token = tl.load(tokens_ptr + row)
    token = tl.where(token == _IGNORED, 0, token)
    grad, grad_entropy = 0.0, 0.0
    if grad_logprobs_ptr is not None:
        grad = tl.load(grad_logprobs_ptr + row) * scale * _LN_2
    if grad_entropies_ptr is not None:
        grad_entropy = tl.load(grad_entropies_ptr + row) * scale * _LN_2
    HAS_ENTROPY: tl.constexpr = grad_entropies_ptr is not None
    kept, top, total, moment = kept_and_sums(
        row_ptr, vocabulary, scale, HAS_ENTROPY, KEPT, VECTORS, WIDTH
    )
    log_sum = log_total(top, total, scale)
    entropy = (tl.log2(total) - moment / total) * _LN_2
    at, inside = tile(0, vocabulary, KEPT, WIDTH)
    _put(grad_row_ptr, kept, at, inside, scale, log_sum, entropy, token, grad, grad_entropy)
    count = tl.cdiv(vocabulary - KEPT * WIDTH, VECTORS * WIDTH)
    for i in range(count):
        start = (KEPT + (count - 1 - i) * VECTORS) * WIDTH
        here, is_here = tile(start, vocabulary, VECTORS, WIDTH)
        x = tl.load(row_ptr + here, is_here, -float("inf"), eviction_policy="evict_first")
        _put(grad_row_ptr, x, here, is_here, scale, log_sum, entropy, token, grad, grad_entropy)


@launched(loss.token_logprobs, lambda logits_NV, tokens_N, temperature: logits_NV.numel() > 0)
def token_logprobs(
    logits_NV: Tensor, tokens_N: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    logits, tokens = with_close_columns(logits_NV), tokens_N.contiguous()
    logprobs, entropies = (logits.new_empty(len(logits), dtype=torch.float32) for _ in range(2))
    token_logprobs_kernel[(len(logits),)](
        *(logits, tokens, logprobs, entropies),
        logits.shape[1],
        logits.stride(0),
        LOG2_E / temperature,
        **tiles(logits),
    )
    return logprobs, entropies


@launched(
    "token_logprobs_backward",
    lambda grads, logits_NV, tokens_N, temperature: logits_NV.numel() > 0,
)
def token_logprobs_backward(
    grads: Sequence[Tensor | None], logits_NV: Tensor, tokens_N: Tensor, temperature: float
) -> list[Tensor]:
    logits, tokens = with_close_columns(logits_NV), tokens_N.contiguous()
    gradient = torch.empty_like(logits_NV, memory_format=torch.contiguous_format)
    token_logprobs_backward_kernel[(len(logits),)](
        *(None if grad is None else grad.contiguous() for grad in grads),
        *(logits, tokens, gradient),
        logits.shape[1],
        logits.stride(0),
        LOG2_E / temperature,
        **kept_tiles(logits),
    )
    return [gradient]
