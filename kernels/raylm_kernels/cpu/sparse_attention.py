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
) -> Tensor:
    q, k, v, blocks = (t.contiguous() for t in (q_BTHD, k_BSKD, v_BSKD, blocks_HRC))
    out = torch.empty_like(q)
    shape = _shape(q, k, blocks, block_size, causal, scale)
    kernels().raylm_sparse_attention(
        byref(shape), *map(address, (q, k, v, blocks, out)), torch.get_num_threads()
    )
    return out


@compiled("block_sparse_attention_backward", lambda grads, *args: _takes(*args))
def block_sparse_attention_backward(
    grads: Sequence[Tensor],
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> list[Tensor]:
    grad, q, k, v, blocks = (t.contiguous() for t in (grads[0], q_BTHD, k_BSKD, v_BSKD, blocks_HRC))
    found = [torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)]
    shape = _shape(q, k, blocks, block_size, causal, scale)
    kernels().raylm_sparse_attention_backward(
        byref(shape), *map(address, (grad, q, k, v, blocks, *found)), torch.get_num_threads()
    )
    return found


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
