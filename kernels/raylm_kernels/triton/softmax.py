"""What losses need of a row's softmax, found in one pass.

A row is read in tiles of vectors: a vector is as much as a thread loads at once. Every place of a
tile has a largest value and sums of its own, so that threads meet once a row, not once a tile.
"""

import triton
import triton.language as tl
from torch import Tensor

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453
STAGES = tl.constexpr(3)  # of tiles that are read twice: two on their way, one at work
LEAST = tl.constexpr(-1e30)  # times a probability of 0 it is 0, unlike -inf


@triton.jit
def tile(first, vocabulary, VECTORS: tl.constexpr, WIDTH: tl.constexpr):
    """Which tokens the tile after `first` holds, and which of them there are."""
    vectors, lanes = tl.arange(0, VECTORS), tl.arange(0, WIDTH)
    at = first + vectors[:, None] * WIDTH + lanes[None, :]
    return at, at < vocabulary


@triton.jit
def no_sums(VECTORS: tl.constexpr):
    """The largest value, the sum of exponentials by it, and that of these times their exponents."""
    nothing = tl.zeros((VECTORS,), tl.float32)
    return nothing - float("inf"), nothing, nothing


@triton.jit
def _finite(top):
    return tl.where(tl.abs(top) == float("inf"), 0.0, top)


@triton.jit
def added(top, total, moment, x, scale, HAS_MOMENT: tl.constexpr):
    """The sums with a tile of logits; exponentials are powers of 2 by (x - top) * scale."""
    new = tl.maximum(top, tl.max(x, 1))
    base = _finite(new)
    exponents = x * scale - (base * scale)[:, None]
    powers = tl.exp2(exponents)
    shift = (top - base) * scale
    factor = tl.exp2(shift)
    if HAS_MOMENT:
        moment = (moment + total * tl.maximum(shift, LEAST)) * factor
        moment += tl.sum(powers * tl.maximum(exponents, LEAST), 1)
    return new, total * factor + tl.sum(powers, 1), moment


@triton.jit
def merged(top, total, moment, scale):
    """Of the whole row."""
    new = tl.max(top, 0)
    shift = (top - _finite(new)) * scale
    factor = tl.exp2(shift)
    moment = tl.sum((moment + total * tl.maximum(shift, LEAST)) * factor, 0)
    return new, tl.sum(total * factor, 0), moment


@triton.jit
def row_sums(
    row_ptr,
    vocabulary,
    scale,
    HAS_MOMENT: tl.constexpr,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    sums = no_sums(VECTORS)
    for start in range(0, vocabulary, VECTORS * WIDTH):
        at, inside = tile(start, vocabulary, VECTORS, WIDTH)
        x = tl.load(row_ptr + at, inside, -float("inf")).to(tl.float32)
        sums = added(*sums, x, scale, HAS_MOMENT)
    return merged(*sums, scale)


@triton.jit
def last_tile(vocabulary, STEP: tl.constexpr):
    """Its number: 1 where the first, 0, has all."""
    return tl.maximum(tl.cdiv(vocabulary, STEP) - 1, 1)


@triton.jit
def kept_and_sums(
    row_ptr,
    vocabulary,
    scale,
    HAS_MOMENT: tl.constexpr,
    VECTORS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Of a row that is read twice the first and the last tile, which stay in registers, and the
    sums. The tiles between are whole, and in the L2 still when they are read again."""
    STEP: tl.constexpr = VECTORS * WIDTH
    end = last_tile(vocabulary, STEP)
    at, inside = tile(0, vocabulary, VECTORS, WIDTH)
    first = tl.load(row_ptr + at, inside, -float("inf"), eviction_policy="evict_first")
    at, inside = tile(end * STEP, vocabulary, VECTORS, WIDTH)
    last = tl.load(row_ptr + at, inside, -float("inf"), eviction_policy="evict_first")
    sums = no_sums(VECTORS)
    for i in tl.range(1, end, num_stages=STAGES):
        at = tile(i * STEP, vocabulary, VECTORS, WIDTH)[0]
        x = tl.load(row_ptr + at, eviction_policy="evict_last")
        sums = added(*sums, x.to(tl.float32), scale, HAS_MOMENT)
    sums = added(*sums, first.to(tl.float32), scale, HAS_MOMENT)
    sums = added(*sums, last.to(tl.float32), scale, HAS_MOMENT)
    top, total, moment = merged(*sums, scale)
    return first, last, top, total, moment


@triton.jit
def log_probability(x, top, total, scale):
    """To the base of 2, and 0 where there is no other token."""
    return (x - top) * scale - tl.log2(total)


@triton.jit
def log_total(top, total, scale):
    """log2 of the sum of all 2^(x * scale)."""
    return _finite(top) * scale + tl.log2(total)


@triton.jit
def picked(row_ptr, token, vocabulary):
    """NaN where there is no such token."""
    exists = (token >= 0) & (token < vocabulary)
    return tl.load(row_ptr + token, exists, other=float("nan")).to(tl.float32)


def with_close_columns(logits_NV: Tensor) -> Tensor:
    return logits_NV if logits_NV.stride(1) == 1 else logits_NV.contiguous()


def vector_width(logits: Tensor) -> int:
    """Elements of 16 bytes."""
    return 16 // logits.element_size()


def tiles(logits_NV: Tensor) -> dict[str, int]:
    """Of kernels that read a row once: few rows need many threads each."""
    rows, vocabulary = logits_NV.shape
    width = vector_width(logits_NV)
    most = 512 if rows >= 512 else 2048
    vectors = min(most, triton.next_power_of_2(triton.cdiv(vocabulary, width)))
    return {"VECTORS": vectors, "WIDTH": width, "num_warps": max(1, vectors // 64)}


def kept_tiles(logits_NV: Tensor) -> dict[str, int]:
    """Of kernels that read a row twice. A thread keeps 4 vectors. What the others take of the L2
    is bounded by the number of rows at work: of long ones there is one a processor."""
    width = vector_width(logits_NV)
    vectors = triton.next_power_of_2(triton.cdiv(logits_NV.shape[1], width))
    most_warps = 32 if vectors > 8192 else 16 if vectors > 1024 else 8
    warps = min(most_warps, max(1, vectors // 128))
    vectors = min(max(1, vectors // 2), warps * 64)
    return {"VECTORS": vectors, "WIDTH": width, "num_warps": warps}
