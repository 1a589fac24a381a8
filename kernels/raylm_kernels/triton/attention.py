"""Attention over whole and packed sequences, and its gradients."""

from collections.abc import Sequence

from torch import Tensor

from raylm_kernels.reference import attention as reference
from raylm_kernels.triton.attention_backward import backward
from raylm_kernels.triton.attention_call import AttentionCall, takes
from raylm_kernels.triton.attention_forward import forward
from raylm_kernels.triton.attention_range import sequence_bounds
from raylm_kernels.triton.launched import launched


def _takes(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    starts: Tensor | None,
    causal: bool,
    window: int,
    softcap: float,
    scale: float,
) -> bool:
    return takes(q, k, v, scale)


@launched(reference.attention, _takes)
def attention(
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    starts: Tensor | None,
    causal: bool,
    window: int,
    softcap: float,
    scale: float,
) -> tuple[Tensor, Tensor]:
    sequences = sequence_bounds(starts, q_BTHD.shape[1])
    return forward(AttentionCall(q_BTHD, k_BSKD, v_BSKD, causal, scale, window, softcap, sequences))


@launched("attention_backward", lambda grads, results, *args: _takes(*args))
def attention_backward(
    grads: Sequence[Tensor | None],
    results: Sequence[Tensor],
    q_BTHD: Tensor,
    k_BSKD: Tensor,
    v_BSKD: Tensor,
    starts: Tensor | None,
    causal: bool,
    window: int,
    softcap: float,
    scale: float,
) -> list[Tensor]:
    sequences = sequence_bounds(starts, q_BTHD.shape[1])
    call = AttentionCall(q_BTHD, k_BSKD, v_BSKD, causal, scale, window, softcap, sequences)
    return backward(call, grads, results)
