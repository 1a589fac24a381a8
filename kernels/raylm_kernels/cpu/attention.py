"""Attention by torch's own fused kernel, and its gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from raylm_kernels.reference import attention as reference
from raylm_kernels.registry import register

_aten = torch.ops.aten


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
    """Its causal mask begins with the first key."""
    is_plain = starts is None and window == 0 and softcap == 0
    has_all = min(q.numel(), k.numel()) > 0 and q.dtype == k.dtype == v.dtype
    return is_plain and has_all and (not causal or q.shape[1] == k.shape[1])


@register(reference.attention, name="sdpa", device="cpu", when=_takes)
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
    q, k, v = (t.transpose(1, 2) for t in (q_BTHD, k_BSKD, v_BSKD))
    out, total = _aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, causal, scale=scale or None
    )
    return out.transpose(1, 2).contiguous(), total.contiguous()


@register(
    "attention_backward",
    name="sdpa",
    device="cpu",
    when=lambda grads, results, *args: grads[0] is not None and grads[1] is None and _takes(*args),
)
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
    grad = grads[0]
    assert grad is not None
    group = q_BTHD.shape[2] // k_BSKD.shape[2]
    q, k, v = (t.transpose(1, 2) for t in (q_BTHD, k_BSKD, v_BSKD))
    k, v = (t.repeat_interleave(group, dim=1) for t in (k, v))
    out, total = results[0].transpose(1, 2), results[1]
    found = _aten._scaled_dot_product_flash_attention_for_cpu_backward(
        grad.transpose(1, 2), q, k, v, out, total, 0.0, causal, scale=scale or None
    )
    grad_q, grad_k, grad_v = (t.transpose(1, 2) for t in found)
    shared = (t.unflatten(2, (-1, group)).sum(3) for t in (grad_k, grad_v))
    return [grad_q.contiguous(), *(t.contiguous() for t in shared)]
