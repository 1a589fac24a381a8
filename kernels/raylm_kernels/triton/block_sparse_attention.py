"""Block-sparse attention, whose time follows the blocks that are kept, and its gradients."""

from collections.abc import Sequence

from torch import Tensor

from raylm_kernels.reference import attention as reference
from raylm_kernels.triton.attention_backward import backward
from raylm_kernels.triton.attention_call import AttentionCall, takes
from raylm_kernels.triton.attention_forward import forward
from raylm_kernels.triton.block_sparse_lists import lists_of
from raylm_kernels.triton.launched import launched

_LEAST = 16  # rows that `tl.dot` takes


def _takes(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    blocks: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> bool:
    return takes(q, k, v, scale) and k.numel() > 0 and block_size % _LEAST == 0


@launched(reference.block_sparse_attention, _takes)
def block_sparse_attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    blocks_HRC: Tensor,
    block_size: int,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor]:
    call = AttentionCall(q_BTHD, k_BSKD, v_BSKD, causal, scale)
    return forward(call, lists_of(call, blocks_HRC, block_size))


@launched("block_sparse_attention_backward", lambda grads, results, *args: _takes(*args))
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
    call = AttentionCall(q_BTHD, k_BSKD, v_BSKD, causal, scale)
    by_query = lists_of(call, blocks_HRC, block_size)
    by_key = lists_of(call, blocks_HRC, block_size, is_by_key=True)
    return backward(call, grads, results, by_query, by_key)
