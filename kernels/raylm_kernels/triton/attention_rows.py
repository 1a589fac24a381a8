"""What the gradients of attention need of each row, from its results and their gradients."""

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall
from raylm_kernels.triton.attention_tile import head_of, load_rows

_BLOCK_BYTES = 2**13  # of a row's tile


@triton.jit
def rows_kernel(
    out_ptr, grad_ptr, sums_ptr, grad_sums_ptr, logs_ptr, delta_ptr,
    out_batch, out_row, heads, queries,
    WIDTH: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    tiles = tl.cdiv(queries, BLOCK_M)
    first = tl.program_id(0) % tiles * BLOCK_M
    b = tl.program_id(0) // tiles // heads
    h = tl.program_id(0) // tiles % heads
    out_rows = head_of(out_ptr, b, h, out_batch, WIDTH)
    grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
    out = load_rows(out_rows, b, h, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
    grad = load_rows(grad_rows, b, h, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
    delta = tl.sum(out.to(tl.float32) * grad.to(tl.float32), 1)
    query = first + tl.arange(0, BLOCK_M)
    row = (b * heads + h).to(tl.int64) * queries + query
    inside = query < queries
    if grad_sums_ptr is not None:
        delta -= tl.load(grad_sums_ptr + row, inside, other=0.0)
    sums = tl.load(sums_ptr + row, inside, other=0.0)
    logs = tl.where(sums == float("-inf"), float("inf"), sums * 1.4426950408889634)
    tl.store(logs_ptr + row, logs, inside)
    tl.store(delta_ptr + row, delta, inside)


def of_rows(
    call: AttentionCall, out: Tensor, sums: Tensor, grad: Tensor, grad_sums: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The log-sum-exp to base 2, inf where a row sees nothing, and the sum of out times its
    gradient, less the gradient of the log-sum-exp."""
    logs, delta = call.per_row(), call.per_row()
    block = max(16, _BLOCK_BYTES // (call.padded_width * out.itemsize))
    rows_kernel[(triton.cdiv(call.queries, block) * call.batch * call.heads,)](
        out, grad, sums, grad_sums, logs, delta, out.stride(0), out.stride(1),
        call.heads, call.queries,
        WIDTH=call.width, BLOCK_M=block, BLOCK_D=call.padded_width, num_warps=4,
    )  # fmt: skip
    return logs, delta
