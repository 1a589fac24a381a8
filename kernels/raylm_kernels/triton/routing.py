"""Which experts a token goes to: softmax and the k likeliest in one pass, with gradients.

Among equals the one with the lowest number comes first; `torch.topk` leaves their order open.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import moe
from raylm_kernels.triton.launched import launched

_TILE = 1024
_MOST_EXPERTS = 4096


@triton.jit
def _sort_keys(x, expert, is_expert):
    """All different, and greater the earlier it is to be chosen; NaN before all numbers."""
    bits = tl.where(x == 0.0, 0.0, x).to(tl.int32, bitcast=True)
    bits = tl.where(x == x, bits, 0x7FFFFFFF)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    key = (ordered.to(tl.int64) << 32) + (0x7FFFFFFF - expert)
    return tl.where(is_expert, key, -(2**63))


@triton.jit
def _ranks(key, k):
    """0 where a row's key is its greatest, and so on; k where it is not among the k greatest."""
    rank = tl.zeros(key.shape, tl.int32)
    is_left = key == key
    for _ in range(k):
        is_left &= key < tl.max(tl.where(is_left, key, -(2**63)), 1)[:, None]
        rank += is_left.to(tl.int32)
    return rank


@triton.jit
def _routed(
    logits_ptr, row, rows, stride, num_experts, k, RENORMALISE: tl.constexpr, BX: tl.constexpr
):
    """Of a block of tokens: the weights of all experts, and their ranks."""
    expert = tl.arange(0, BX)[None, :]
    is_expert = expert < num_experts
    x = tl.load(logits_ptr + row * stride + expert, (row < rows) & is_expert, 0.0).to(tl.float32)
    x = tl.where(is_expert, x, float("-inf"))
    rank = _ranks(_sort_keys(x, expert, is_expert), k)
    likely = tl.exp(x - tl.max(x, 1)[:, None])
    if RENORMALISE:
        likely = tl.where(rank < k, likely, 0.0)
    return likely / tl.sum(likely, 1)[:, None], rank


@triton.jit
def route_top_k_kernel(
    logits_ptr,
    weights_ptr,
    experts_ptr,
    rows,
    stride,
    num_experts,
    k,
    RENORMALISE: tl.constexpr,
    BN: tl.constexpr,
    BX: tl.constexpr,
):
    row = (tl.program_id(0).to(tl.int64) * BN + tl.arange(0, BN))[:, None]
    weight, rank = _routed(logits_ptr, row, rows, stride, num_experts, k, RENORMALISE, BX)
    expert = tl.broadcast_to(tl.arange(0, BX)[None, :].to(tl.int64), (BN, BX))
    is_chosen = (row < rows) & (rank < k)
    tl.store(weights_ptr + row * k + rank, weight, is_chosen)
    tl.store(experts_ptr + row * k + rank, expert, is_chosen)


@triton.jit
def route_top_k_backward_kernel(
    grad_ptr,
    logits_ptr,
    grad_logits_ptr,
    rows,
    stride,
    num_experts,
    k,
    RENORMALISE: tl.constexpr,
    BN: tl.constexpr,
    BX: tl.constexpr,
):
    row = (tl.program_id(0).to(tl.int64) * BN + tl.arange(0, BN))[:, None]
    weight, rank = _routed(logits_ptr, row, rows, stride, num_experts, k, RENORMALISE, BX)
    grad = tl.load(grad_ptr + row * k + rank, (row < rows) & (rank < k), 0.0).to(tl.float32)
    grad = weight * (grad - tl.sum(weight * grad, 1)[:, None])
    expert = tl.arange(0, BX)[None, :]
    at = grad_logits_ptr + row * num_experts + expert
    is_expert = (row < rows) & (expert < num_experts)
    tl.store(at, grad.to(grad_logits_ptr.dtype.element_ty), is_expert)


def _config(num_experts: int) -> dict[str, int]:
    experts = triton.next_power_of_2(num_experts)
    return {"BN": max(_TILE // experts, 1), "BX": experts}


def _fits(logits_NX: Tensor, k: int, renormalise: bool) -> bool:
    return logits_NX.numel() > 0 and logits_NX.shape[1] <= _MOST_EXPERTS


@launched(moe.route_top_k, _fits)
def route_top_k(logits_NX: Tensor, k: int, renormalise: bool) -> tuple[Tensor, Tensor]:
    rows, num_experts = logits_NX.shape
    logits_NX = logits_NX if logits_NX.stride(1) == 1 else logits_NX.contiguous()
    weights_NK = logits_NX.new_empty(rows, k, dtype=torch.float32)
    experts_NK = logits_NX.new_empty(rows, k, dtype=torch.int64)
    config = _config(num_experts)
    route_top_k_kernel[(triton.cdiv(rows, config["BN"]),)](
        logits_NX,
        weights_NK,
        experts_NK,
        rows,
        logits_NX.stride(0),
        num_experts,
        k,
        RENORMALISE=renormalise,
        **config,
    )
    return weights_NK, experts_NK


@launched("route_top_k_backward", lambda grads, *args: grads[0] is not None and _fits(*args))
def route_top_k_backward(
    grads: Sequence[Tensor], logits_NX: Tensor, k: int, renormalise: bool
) -> list[Tensor]:
    rows, num_experts = logits_NX.shape
    logits_NX = logits_NX if logits_NX.stride(1) == 1 else logits_NX.contiguous()
    grad_logits = logits_NX.new_empty(rows, num_experts)
    config = _config(num_experts)
    route_top_k_backward_kernel[(triton.cdiv(rows, config["BN"]),)](
        grads[0].contiguous(),
        logits_NX,
        grad_logits,
        rows,
        logits_NX.stride(0),
        num_experts,
        k,
        RENORMALISE=renormalise,
        **config,
    )
    return [grad_logits]
