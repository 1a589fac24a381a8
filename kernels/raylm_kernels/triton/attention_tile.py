"""What the attention kernels do with a tile: load and store rows, bend scores, sum exponentials.

Scores are kept times log2(e), so that exp2 serves. Tiles of queries are M x D, of keys N x D.
"""

import triton
import triton.language as tl


@triton.jit
def queries_of_program(heads, queries, CAUSAL: tl.constexpr, BLOCK_M: tl.constexpr):
    """The first query of a program's tile, its sequence and its head."""
    tiles = tl.cdiv(queries, BLOCK_M)
    tile = tl.program_id(0) % tiles
    if CAUSAL:
        tile = tiles - 1 - tile  # those that see most begin first
    return tile * BLOCK_M, tl.program_id(0) // tiles // heads, tl.program_id(0) // tiles % heads


@triton.jit
def head_of(ptr, b, h, batch_stride, head_stride):
    """Where the rows of a head begin; a descriptor (TMA) is told later."""
    if not isinstance(ptr, tl.tensor_descriptor):
        ptr += b.to(tl.int64) * batch_stride + h.to(tl.int64) * head_stride
    return ptr


@triton.jit
def load_rows(
    ptr,
    b,
    h,
    first,
    rows,
    stride,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCK_D: tl.constexpr,
    IS_CLEAR: tl.constexpr,
):
    """BLOCK rows from `first` on, zeros beyond `rows` and `width`; IS_CLEAR: `rows` has all."""
    if isinstance(ptr, tl.tensor_descriptor):
        tile = ptr.load([b, first, h, 0]).reshape(BLOCK, BLOCK_D)
    elif not IS_CLEAR:
        inside = _inside(first, rows, WIDTH, BLOCK, BLOCK_D)
        tile = tl.load(_ptrs(ptr, first, stride, BLOCK, BLOCK_D), inside, other=0.0)
    elif WIDTH == BLOCK_D:
        tile = tl.load(_ptrs(ptr, first, stride, BLOCK, BLOCK_D))
    else:
        inside = (tl.arange(0, BLOCK_D) < WIDTH)[None, :]
        tile = tl.load(_ptrs(ptr, first, stride, BLOCK, BLOCK_D), inside, other=0.0)
    return tile


@triton.jit
def store_rows(
    ptr,
    tile,
    first,
    rows,
    stride,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    inside = _inside(first, rows, WIDTH, BLOCK, BLOCK_D)
    tl.store(_ptrs(ptr, first, stride, BLOCK, BLOCK_D), tile.to(ptr.dtype.element_ty), inside)


@triton.jit
def _ptrs(ptr, first, stride, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr):
    at, d = tl.arange(0, BLOCK)[:, None], tl.arange(0, BLOCK_D)[None, :]
    return ptr + first.to(tl.int64) * stride + (at * stride + d)


@triton.jit
def _inside(first, rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr, BLOCK_D: tl.constexpr):
    inside = (first + tl.arange(0, BLOCK) < rows)[:, None]
    if WIDTH < BLOCK_D:
        inside = inside & (tl.arange(0, BLOCK_D) < WIDTH)[None, :]
    return inside


@triton.jit
def bent(products, bend):
    """The products of queries and keys, or the tanh of these times `bend`."""
    if bend is not None:
        products = 1.0 - 2.0 / (1.0 + tl.exp2(products * (bend * 2.8853900817779268)))
    return products


@triton.jit
def unbent(grad, scores, bend):
    """The gradient of what is `bent` into `scores`, but for a factor."""
    if bend is not None:
        grad *= 1.0 - scores * scores
    return grad


@triton.jit
def attend(acc, top, total, q, k, v, seen, gain, bend, PRECISION: tl.constexpr):
    """Takes in a tile of keys; `seen` is None where all are. `top` is each row's largest score
    times `gain`, -inf where it has seen nothing yet, `total` its sum of exponentials below that."""
    scores = bent(tl.dot(q, tl.trans(k), input_precision=PRECISION), bend)
    if seen is not None:
        scores = tl.where(seen, scores, float("-inf"))
    new_top = tl.maximum(top, tl.max(scores, 1) * gain)
    base = new_top
    if seen is not None:
        base = tl.where(new_top == float("-inf"), 0.0, new_top)
    weights = tl.exp2(scores * gain - base[:, None])
    shrink = tl.exp2(top - base)
    total = total * shrink + tl.sum(weights, 1)
    acc = tl.dot(weights.to(v.dtype), v, acc * shrink[:, None], input_precision=PRECISION)
    return acc, new_top, total
