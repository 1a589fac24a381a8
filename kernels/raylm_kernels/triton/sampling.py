"""Drawing tokens without sorting them: what a sort would tell is found by bisection.

A token is drawn where the sum of probabilities, likeliest first, passes a random number. One pass
tells how much probability lies above a value of the logits; so the value of the drawn token, and
the least that top-k and top-p leave, are found in some ten passes over a row that stays in the L2.
Sums in another order than the reference's may draw the token next to its own, where the random
number is within their rounding of a boundary.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import sampling
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.softmax import LOG2_E, with_close_columns

_LOG2_E = tl.constexpr(LOG2_E)


@triton.jit
def _key(x):
    """Integers in the order of the numbers."""
    bits = x.to(tl.int32, bitcast=True)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.int64)


@triton.jit
def _number(key):
    bits = key.to(tl.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def _next_below(x):
    """Of a number above 0."""
    return (x.to(tl.int32, bitcast=True) - 1).to(tl.float32, bitcast=True)


@triton.jit
def _logits(row_ptr, start, vocabulary, BLOCK: tl.constexpr):
    at = start + tl.arange(0, BLOCK)
    return tl.load(row_ptr + at, at < vocabulary, -float("inf")).to(tl.float32)


@triton.jit
def _likeliest(row_ptr, vocabulary, BLOCK: tl.constexpr):
    best = tl.zeros((BLOCK,), tl.float32) - float("inf")
    for start in range(0, vocabulary, BLOCK):
        best = tl.maximum(best, _logits(row_ptr, start, vocabulary, BLOCK))
    return tl.max(best)


@triton.jit
def _weights(x, top, scale, least, COUNTS: tl.constexpr):
    """1 each, or how many times as likely as the likeliest, and 0 below `least`."""
    if COUNTS:
        weights = tl.full(x.shape, 1.0, tl.float32)
    else:
        weights = tl.exp2((x - top) * scale)
        weights = tl.where(weights >= least, weights, 0.0)
    return weights


@triton.jit
def _above(
    row_ptr, number, vocabulary, top, scale, least, COUNTS: tl.constexpr, BLOCK: tl.constexpr
):
    """What all logits above a number weigh, and the nearest ones: not above it, and above it."""
    sums = tl.zeros((BLOCK,), tl.float32)
    lower, upper = sums - float("inf"), sums + float("inf")
    for start in range(0, vocabulary, BLOCK):
        x = _logits(row_ptr, start, vocabulary, BLOCK)
        is_above = x > number
        sums += tl.where(is_above, _weights(x, top, scale, least, COUNTS), 0.0)
        lower = tl.maximum(lower, tl.where(is_above, -float("inf"), x))
        upper = tl.minimum(upper, tl.where(is_above, x, float("inf")))
    return tl.sum(sums), tl.max(lower), tl.min(upper)


@triton.jit
def _lowest(
    row_ptr, limit, vocabulary, low, top, scale, least, COUNTS: tl.constexpr, BLOCK: tl.constexpr
):
    """The lowest logit, from `low` on, that has at most `limit` above it, and how much it has."""
    lower, upper = _key(low) - 1, _key(top)
    weight = tl.full((), 0.0, tl.float32)
    while upper - lower > 1:
        middle = _number(lower + (upper - lower) // 2)
        found, under, over = _above(row_ptr, middle, vocabulary, top, scale, least, COUNTS, BLOCK)
        fits = found <= limit
        upper = tl.where(fits, tl.maximum(_key(under), lower + 1), upper)
        lower = tl.where(fits, lower, _key(over) - 1)
        weight = tl.where(fits, found, weight)
    return _number(upper), weight


@triton.jit
def _kept(row_ptr, vocabulary, top, scale, top_k, top_p, BLOCK: tl.constexpr):
    """The lowest logit that top-k and top-p leave, and how many of those equal to it."""
    low, ties = tl.full((), -float("inf"), tl.float32), tl.full((), 0, tl.int32)
    above = tl.full((), 0.0, tl.float32)
    if (top_k > 0) & (top_k < vocabulary):
        low, count = _lowest(row_ptr, top_k - 1.0, vocabulary, low, top, scale, 0.0, True, BLOCK)
        ties = top_k - count.to(tl.int32)
    if top_p < 1.0:
        above, _, _ = _above(row_ptr, low, vocabulary, top, scale, 0.0, False, BLOCK)
        limit = top_p * (above + ties * tl.exp2((low - top) * scale))
        if limit > 0.0:
            least_left, above = _lowest(
                row_ptr, _next_below(limit), vocabulary, low, top, scale, 0.0, False, BLOCK
            )
            needed = tl.ceil((limit - above) / tl.exp2((least_left - top) * scale))
            needed = tl.maximum(tl.minimum(needed, vocabulary), 1.0).to(tl.int32)
            ties = tl.where(least_left > low, needed, tl.minimum(needed, ties))
            low = least_left
        else:
            low, ties = top, tl.full((), 1, tl.int32)
    return low, ties


@triton.jit
def _drawn(row_ptr, uniform, vocabulary, top, scale, low, ties, least, BLOCK: tl.constexpr):
    """The logit that is drawn, and how many of the tokens equal to it come before the drawn one."""
    tie = tl.exp2((low - top) * scale)
    tie = tl.where(tie >= least, tie, 0.0)
    above, _, _ = _above(row_ptr, low, vocabulary, top, scale, least, False, BLOCK)
    total = above + ties * tie
    target = tl.minimum(uniform * total, _next_below(total))
    logit, above = _lowest(row_ptr, target, vocabulary, low, top, scale, least, False, BLOCK)
    place = (target - above) / tl.exp2((logit - top) * scale)
    place = tl.maximum(tl.minimum(place, vocabulary), 0.0).to(tl.int32)
    return logit, tl.where(logit > low, place, tl.minimum(place, ties - 1))


@triton.jit
def _token(row_ptr, logit, place, vocabulary, BLOCK: tl.constexpr):
    """Of those with this logit the one at `place`, or the last."""
    seen, token = tl.full((), 0, tl.int32), tl.full((), 0, tl.int32)
    for start in range(0, vocabulary, BLOCK):
        hits = (_logits(row_ptr, start, vocabulary, BLOCK) == logit).to(tl.int32)
        count = tl.sum(hits)
        if (count > 0) & (seen <= place):
            is_before = (hits > 0) & (seen + tl.cumsum(hits, 0) <= place + 1)
            token = tl.max(tl.where(is_before, start + tl.arange(0, BLOCK), token))
        seen += count
    return token


@triton.jit
def sample_kernel(
    logits_ptr,
    uniforms_ptr,
    temperatures_ptr,
    top_ks_ptr,
    top_ps_ptr,
    min_ps_ptr,
    tokens_ptr,
    vocabulary,
    stride,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    row_ptr = logits_ptr + row * stride
    temperature = tl.load(temperatures_ptr + row).to(tl.float32)
    top = _likeliest(row_ptr, vocabulary, BLOCK)
    logit, place = top, tl.full((), 0, tl.int32)
    min_p = tl.load(min_ps_ptr + row).to(tl.float32)
    if (temperature != 0.0) & (min_p <= 1.0):
        scale = _LOG2_E / temperature
        top_k = tl.load(top_ks_ptr + row).to(tl.int32)
        top_p = tl.load(top_ps_ptr + row).to(tl.float32)
        uniform = tl.load(uniforms_ptr + row).to(tl.float32)
        low, ties = _kept(row_ptr, vocabulary, top, scale, top_k, top_p, BLOCK)
        logit, place = _drawn(row_ptr, uniform, vocabulary, top, scale, low, ties, min_p, BLOCK)
    token = _token(row_ptr, logit, place, vocabulary, BLOCK)
    tl.store(tokens_ptr + row, token.to(tl.int64))


@launched(sampling.sample, lambda logits_NV, *settings: len(logits_NV) > 0)
def sample(
    logits_NV: Tensor,
    uniform_N: Tensor,
    temperature_N: Tensor,
    top_k_N: Tensor,
    top_p_N: Tensor,
    min_p_N: Tensor,
) -> Tensor:
    logits, vocabulary = with_close_columns(logits_NV), logits_NV.shape[1]
    settings = (uniform_N, temperature_N, top_k_N, top_p_N, min_p_N)
    tokens = logits.new_empty(len(logits), dtype=torch.int64)
    block = min(8192, max(32, triton.next_power_of_2(vocabulary)))
    sample_kernel[(len(logits),)](
        logits,
        *(setting.contiguous() for setting in settings),
        tokens,
        vocabulary,
        logits.stride(0),
        BLOCK=block,
        num_warps=max(1, block // 256),
    )
    return tokens
