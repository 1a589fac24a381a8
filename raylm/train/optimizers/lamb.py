"""LAMB: Adam's direction, its length set per tensor by the length of the weights."""

from collections.abc import Callable

import torch
from torch.optim.optimizer import Optimizer, ParamsT


class Lamb(Optimizer):
    """You et al. 2019, "Large Batch Optimization for Deep Learning", algorithm 2.

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        u = (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay p
        p = p - lr (|p| / |u|) u

    The norms are those of the whole tensor; their ratio is 1 where either is zero.
    State: `exp_avg` and `exp_avg_sq` of the parameter's shape and dtype, and `step`, a float32
    scalar on the CPU. Raises ValueError for betas outside [0, 1).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        if not all(0.0 <= beta < 1.0 for beta in betas):
            raise ValueError(f"betas {betas} are not in [0, 1)")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if not self.state[p]:
                    self.state[p] = _zero_state(p)
            grads = [p.grad for p in params]
            exp_avgs = [self.state[p]["exp_avg"] for p in params]
            exp_avg_sqs = [self.state[p]["exp_avg_sq"] for p in params]
            steps = [self.state[p]["step"] for p in params]
            beta1, beta2 = group["betas"]

            torch._foreach_add_(steps, 1)
            torch._foreach_mul_(exp_avgs, beta1)
            torch._foreach_add_(exp_avgs, grads, alpha=1 - beta1)
            torch._foreach_mul_(exp_avg_sqs, beta2)
            torch._foreach_addcmul_(exp_avg_sqs, grads, grads, 1 - beta2)

            denominators = torch._foreach_div(exp_avg_sqs, _bias_corrections(beta2, steps))
            torch._foreach_sqrt_(denominators)
            torch._foreach_add_(denominators, group["eps"])
            updates = torch._foreach_div(exp_avgs, _bias_corrections(beta1, steps))
            torch._foreach_div_(updates, denominators)
            torch._foreach_add_(updates, params, alpha=group["weight_decay"])

            torch._foreach_mul_(updates, _trust_ratios(params, updates))
            torch._foreach_add_(params, updates, alpha=-group["lr"])
        return loss


def _zero_state(parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "step": torch.zeros((), dtype=torch.float32, device="cpu"),
        "exp_avg": torch.zeros_like(parameter),
        "exp_avg_sq": torch.zeros_like(parameter),
    }


def _bias_corrections(beta: float, steps: list[torch.Tensor]) -> list[float]:
    return [1 - beta ** step.item() for step in steps]


def _trust_ratios(
    params: list[torch.Tensor], updates: tuple[torch.Tensor, ...]
) -> list[torch.Tensor]:
    """One scalar a tensor; it stays on the device, for reading it would wait for the GPU."""
    norms = zip(torch._foreach_norm(params), torch._foreach_norm(updates), strict=True)
    return [torch.where((p > 0) & (u > 0), p / u, torch.ones_like(p)) for p, u in norms]
