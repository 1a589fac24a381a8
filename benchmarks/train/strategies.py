"""How each mode takes one optimizer step: the same model and AdamW, a different distribution.

Fp32 is the same arithmetic everywhere. Bf16 is what each library offers under that name, which
differs; a strategy says what it did in `arithmetic`. Nobody clips: DeepSpeed would by default.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.train.modes import Family, Mode

Precision = Literal["fp32", "bf16"]
Step = Callable[[Tensor, Tensor], Tensor]

LEARNING_RATE = 3e-4
BETAS = (0.9, 0.999)
LIBRARIES: dict[Family, str] = {
    "single": "torch.optim",
    "ddp": "torch.nn.parallel",
    "fsdp2": "torch.distributed.fsdp",
    "deepspeed": "deepspeed",
    "raylm": "raylm",
}
_FP32 = "fp32"


@dataclass(frozen=True)
class Strategy:
    """`step` maps this rank's tokens and targets to its loss and updates the model."""

    step: Step
    arithmetic: str
    bytes_sent: Callable[[], int] | None = None  # counted by the library itself, since its start
    memory: Callable[[], dict[str, int]] | None = None


def build(mode: Mode, model: nn.Module, *, batch: int, precision: Precision) -> Strategy:
    if mode.family == "deepspeed":
        return _deepspeed(mode, model, batch, precision)
    if mode.family == "raylm":
        return _raylm(mode, model, batch, precision)
    if mode.family == "fsdp2":
        return _fsdp2(model, precision)
    if mode.family == "ddp":
        model = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
    return _plain(model, precision)


def _plain(model: nn.Module, precision: Precision) -> Strategy:
    if precision == "fp32":
        return Strategy(_torch_step(model, nullcontext), _FP32)

    def autocast() -> AbstractContextManager[None]:
        return torch.autocast("cpu", torch.bfloat16)

    arithmetic = "autocast to bf16; parameters, gradients and moments in fp32"
    return Strategy(_torch_step(model, autocast), arithmetic)


def _fsdp2(model: nn.Module, precision: Precision) -> Strategy:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    policy = MixedPrecisionPolicy()
    if precision == "bf16":
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.bfloat16)
    for unit in (*model.layers, model):
        fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=True)
    arithmetic = "gathered and reduced in bf16; sharded parameters and moments in fp32"
    return Strategy(_torch_step(model, nullcontext), _FP32 if precision == "fp32" else arithmetic)


def _torch_step(model: nn.Module, context: Callable[[], AbstractContextManager[None]]) -> Step:
    optimizer = _adamw(model)

    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        with context():
            loss = model(tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def _adamw(model: nn.Module) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, weight_decay=0.0, fused=True
    )


def _deepspeed(mode: Mode, model: nn.Module, batch: int, precision: Precision) -> Strategy:
    import deepspeed

    keep_nothing = {
        "stage3_max_live_parameters": 0,
        "stage3_max_reuse_distance": 0,
        "stage3_param_persistence_threshold": 0,
    }
    config = {
        "train_micro_batch_size_per_gpu": batch,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": 0.0,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": precision == "bf16"},
        "zero_optimization": {"stage": mode.stage} | (keep_nothing if mode.strict else {}),
    }
    deepspeed.init_distributed(dist_backend="gloo")
    engine, *_ = deepspeed.initialize(model=model, optimizer=_adamw(model), config=config)
    arithmetic = "DeepSpeed's bf16: parameters and gradients in bf16, master and moments in fp32"
    return Strategy(_engine_step(engine), _FP32 if precision == "fp32" else arithmetic)


def _raylm(mode: Mode, model: nn.Module, batch: int, precision: Precision) -> Strategy:
    import raylm

    config = {
        "batch": {"micro": batch},
        "optimizer": {
            "name": "adamw",
            "lr": LEARNING_RATE,
            "weight_decay": 0.0,
            "betas": list(BETAS),
        },
        "schedule": {"name": "constant"},
        "gradient_clipping": None,
        "precision": precision,
        "zero": {"stage": mode.stage},
    }
    engine = raylm.initialize(model, config, link="gloo" if mode.sockets else "auto")

    def memory() -> dict[str, int]:
        report = engine.memory_report()
        names = ("param_bytes", "grad_bytes", "optimizer_bytes", "gathered_bytes")
        return {name: getattr(report, name) for name in names}

    arithmetic = "RayLM's bf16: parameters and gradients in bf16, master and moments in fp32"
    return Strategy(
        _engine_step(engine),
        _FP32 if precision == "fp32" else arithmetic,
        bytes_sent=lambda: engine.comm_report().bytes_sent,
        memory=memory,
    )


def _engine_step(engine: Any) -> Step:
    def step(tokens: Tensor, targets: Tensor) -> Tensor:
        loss = engine(tokens, targets)
        engine.backward(loss)
        engine.step()
        return loss.detach()

    return step
