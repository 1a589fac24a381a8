"""Block-sparse attention, whose time follows the blocks that are kept, and its gradients."""

from collections.abc import Sequence
from ctypes import byref

import torch
from torch import Tensor

from raylm_kernels.cpu.binding import SparseShapeStruct
from raylm_kernels.cpu.compiled import address, are_fp32, compiled, kernels
from raylm_kernels.reference import attention

_LANES = 16


def _takes(q: Tensor, k: Tensor, v: Tensor, *others: object) -> bool:
    return are_fp32(q, k, v) and q.shape[-1] % _LANES == 0 and min(q.numel(), k.numel()) > 0


@compiled(attention.block_sparse_attention, _takes)
def block_sparse_attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor]:
    q, k, v, blocks = (t.contiguous() for t in (q_BTHD, k_BSKD, v_BSKD, blocks_HRC))
    out, logs = torch.empty_like(q), q.new_empty(_rows_of(q))
    shape = _shape(q, k, blocks, block_size, causal, scale)
    kernels().raylm_sparse_attention(
        byref(shape), *map(address, (q, k, v, blocks, out, logs)), torch.get_num_threads()
    )
    return out, logs


@compiled("block_sparse_attention_backward", lambda grads, results, *args: _takes(*args))
def block_sparse_attention_backward(
    grads: Sequence[Tensor | None],
    results: Sequence[Tensor],
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> list[Tensor]:
    q, k, v, blocks = (t.contiguous() for t in (q_BTHD, k_BSKD, v_BSKD, blocks_HRC))
    grad = torch.zeros_like(q) if grads[0] is None else grads[0].contiguous()
    grad_logs = q.new_zeros(_rows_of(q)) if grads[1] is None else grads[1].contiguous()
    given = (grad, grad_logs, *(t.contiguous() for t in results), q, k, v, blocks)
    found = [torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)]
    shape = _shape(q, k, blocks, block_size, causal, scale)
    kernels().raylm_sparse_attention_backward(
        byref(shape), *map(address, (*given, *found)), torch.get_num_threads()
    )
    return found


def _rows_of(q_BTHD: Tensor) -> tuple[int, int, int]:
    """The shape of a number for each query of each head."""
    batch, queries, heads, _ = q_BTHD.shape
    return batch, heads, queries


def _shape(
    q: Tensor, k: Tensor, blocks: Tensor, block_size: int, causal: bool, scale: float
) -> SparseShapeStruct:
    batch, queries, heads, head_dim = q.shape
    return SparseShapeStruct(
        batch=batch,
        queries=queries,
        keys=k.shape[1],
        heads=heads,
        kv_heads=k.shape[2],
        head_dim=head_dim,
        block_size=min(block_size, max(queries, k.shape[1])),
        mask_heads=blocks.shape[0],
        causal=causal,
        scale=scale or head_dim**-0.5,
    )
