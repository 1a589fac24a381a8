"""Optimizer steps in place over flat shards: one pass over all that they read and write."""

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import optimizer
from raylm_kernels.triton.launched import launched

_BLOCK = 1024


@triton.jit
def _load(ptr, inside):
    return tl.load(ptr, inside).to(tl.float32)


@triton.jit
def _store(ptr, values, inside):
    tl.store(ptr, values.to(ptr.dtype.element_ty), inside)


@triton.jit
def _adamw(p_ptr, g_ptr, m_ptr, v_ptr, inside, decay, rate, beta1, beta2, unbias, eps):
    p, g = _load(p_ptr, inside), _load(g_ptr, inside)
    m, v = _load(m_ptr, inside), _load(v_ptr, inside)
    m += (1.0 - beta1) * (g - m)
    v += (1.0 - beta2) * (g * g - v)
    p = p * decay - rate * m / (tl.sqrt(v) * unbias + eps)
    _store(p_ptr, p, inside)
    _store(m_ptr, m, inside)
    _store(v_ptr, v, inside)


@triton.jit
def adamw_kernel(
    p_ptr, g_ptr, m_ptr, v_ptr, size, decay, rate, beta1, beta2, unbias, eps, BLOCK: tl.constexpr
):
    first = tl.program_id(0).to(tl.int64) * BLOCK
    at = first + tl.arange(0, BLOCK)
    p, g, m, v = p_ptr + at, g_ptr + at, m_ptr + at, v_ptr + at
    if first + BLOCK <= size:  # no mask: it would forbid wide loads where size is odd
        _adamw(p, g, m, v, None, decay, rate, beta1, beta2, unbias, eps)
    else:
        _adamw(p, g, m, v, at < size, decay, rate, beta1, beta2, unbias, eps)


@triton.jit
def _lion(p_ptr, g_ptr, m_ptr, inside, decay, lr, beta1, beta2):
    p, g, m = _load(p_ptr, inside), _load(g_ptr, inside), _load(m_ptr, inside)
    direction = m + (1.0 - beta1) * (g - m)
    step = tl.where(direction > 0.0, lr, tl.where(direction < 0.0, -lr, direction))
    _store(p_ptr, p * decay - step, inside)
    _store(m_ptr, m + (1.0 - beta2) * (g - m), inside)


@triton.jit
def lion_kernel(p_ptr, g_ptr, m_ptr, size, decay, lr, beta1, beta2, BLOCK: tl.constexpr):
    first = tl.program_id(0).to(tl.int64) * BLOCK
    at = first + tl.arange(0, BLOCK)
    p, g, m = p_ptr + at, g_ptr + at, m_ptr + at
    if first + BLOCK <= size:
        _lion(p, g, m, None, decay, lr, beta1, beta2)
    else:
        _lion(p, g, m, at < size, decay, lr, beta1, beta2)


def _are_flat(*tensors: Tensor) -> bool:
    return tensors[0].numel() > 0 and all(tensor.is_contiguous() for tensor in tensors)


@launched(optimizer.adamw_step, lambda p, g, m, v, *numbers: _are_flat(p, g, m, v))
def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    square: Tensor,
    step: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    size = parameters.numel()
    adamw_kernel[(triton.cdiv(size, _BLOCK),)](
        *(parameters, gradients, average, square),
        size,
        1.0 - lr * weight_decay,
        lr / (1.0 - beta1**step),
        float(beta1),
        float(beta2),
        (1.0 - beta2**step) ** -0.5,
        float(eps),
        BLOCK=_BLOCK,
    )


@launched(optimizer.lion_step, lambda p, g, m, *numbers: _are_flat(p, g, m))
def lion_step(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> None:
    size = parameters.numel()
    lion_kernel[(triton.cdiv(size, _BLOCK),)](
        *(parameters, gradients, average),
        size,
        1.0 - lr * weight_decay,
        float(lr),
        float(beta1),
        float(beta2),
        BLOCK=_BLOCK,
    )
