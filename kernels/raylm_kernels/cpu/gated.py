"""The gated activation of an MLP, and its gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from raylm_kernels.cpu.compiled import address, are_fp32, compiled, kernels
from raylm_kernels.reference import gated


@compiled(gated.swiglu, lambda gate, up: are_fp32(up) and gate.numel() > 0)
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    gate, up = gate.contiguous(), up.contiguous()
    y = torch.empty_like(gate)
    kernels().raylm_swiglu(
        address(gate), address(up), gate.numel(), address(y), torch.get_num_threads()
    )
    return y


@compiled("swiglu_backward", lambda grads, gate, up: are_fp32(gate, up) and gate.numel() > 0)
def swiglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    grad, gate, up = grads[0].contiguous(), gate.contiguous(), up.contiguous()
    grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
    kernels().raylm_swiglu_backward(
        address(grad),
        address(gate),
        address(up),
        gate.numel(),
        address(grad_gate),
        address(grad_up),
        torch.get_num_threads(),
    )
    return [grad_gate, grad_up]
