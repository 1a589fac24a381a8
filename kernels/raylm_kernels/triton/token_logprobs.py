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
    top, total, moment = row_sums(row_ptr, vocabulary, scale, True, VECTORS, WIDTH)
    tl.store(logprobs_ptr + row, log_probability(x, top, total, scale) * _LN_2)
    tl.store(entropies_ptr + row, (tl.log2(total) - moment / total) * _LN_2)


@triton.jit
def _gradient(log_p, grad, grad_entropy, entropy):
    """By the exponents, less the gradient of the token's own."""
    p = tl.exp2(log_p)
    return -p * (grad + grad_entropy * (tl.maximum(log_p, LEAST) + entropy))


@triton.jit
def _put(grad_ptr, logits, at, inside, scale, log_sum, grad, grad_entropy, entropy):
    log_p = logits.to(tl.float32) * scale - log_sum
    gradient = _gradient(log_p, grad, grad_entropy, entropy).to(grad_ptr.dtype.element_ty)
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
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    STEP: tl.constexpr = VECTORS * WIDTH
    row = tl.program_id(0).to(tl.int64)
    row_ptr, grad_row_ptr = logits_ptr + row * stride, grad_ptr + row * vocabulary
    token = tl.load(tokens_ptr + row)
    token = tl.where(token == _IGNORED, 0, token)
    x = picked(row_ptr, token, vocabulary)
    grad, grad_entropy = 0.0, 0.0
    if grad_logprobs_ptr is not None:
        grad = tl.load(grad_logprobs_ptr + row) * scale * _LN_2
    if grad_entropies_ptr is not None:
        grad_entropy = tl.load(grad_entropies_ptr + row) * scale * (_LN_2 * _LN_2)
    HAS_ENTROPY: tl.constexpr = grad_entropies_ptr is not None
    first, last, top, total, moment = kept_and_sums(
        row_ptr, vocabulary, scale, HAS_ENTROPY, VECTORS, WIDTH
    )
    log_sum = log_total(top, total, scale)
    entropy = tl.log2(total) - moment / total
    end = last_tile(vocabulary, STEP)
    at, inside = tile(0, vocabulary, VECTORS, WIDTH)
    _put(grad_row_ptr, first, at, inside, scale, log_sum, grad, grad_entropy, entropy)
    at, inside = tile(end * STEP, vocabulary, VECTORS, WIDTH)
    _put(grad_row_ptr, last, at, inside, scale, log_sum, grad, grad_entropy, entropy)
    for i in tl.range(1, end, num_stages=STAGES):  # backwards: those are in the L2 rather
        here = tile((end - i) * STEP, vocabulary, VECTORS, WIDTH)[0]
        rest = tl.load(row_ptr + here, eviction_policy="evict_first")
        _put(grad_row_ptr, rest, here, None, scale, log_sum, grad, grad_entropy, entropy)
    tl.debug_barrier()  # the token's, which another thread has put, is put again
    log_p = log_probability(x, top, total, scale)
    gradient = (grad + _gradient(log_p, grad, grad_entropy, entropy)).to(grad_ptr.dtype.element_ty)
    tl.store(grad_row_ptr + token, gradient, (token >= 0) & (token < vocabulary))


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
