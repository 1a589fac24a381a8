"""What a run will take, before anything is started: bytes of each rank's training state."""

from dataclasses import dataclass

import torch
from torch import nn

from raylm.core.partition import FlatLayout
from raylm.core.schema import EngineConfig, OptimizerConfig
from raylm.parallel.amp import DTYPES, Precision
from raylm.parallel.zero.arrangement import arrange, stays_whole
from raylm.train.optimizers.build import build_optimizers


@dataclass(frozen=True, slots=True)
class Plan:
    """Bytes on the rank that holds most; activations and communication buffers come on top."""

    param_bytes: int
    grad_bytes: int
    optimizer_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.param_bytes + self.grad_bytes + self.optimizer_bytes

    def __str__(self) -> str:
        parts = (
            ("parameters", self.param_bytes),
            ("gradients", self.grad_bytes),
            ("optimizer", self.optimizer_bytes),
        )
        return ", ".join(f"{name} {amount / 1e6:.1f} MB" for name, amount in parts)


def predict(model: nn.Module, config: EngineConfig, precision: Precision, world_size: int) -> Plan:
    """`model` may be on the meta device. Of optimizers that keep statistics of other sizes than
    the parameters', such as Adafactor's rows and columns, these are left out."""
    stage = config.zero.stage
    itemsize = precision.parameter_dtype.itemsize
    asked = config.gradient_dtype
    gradient_dtype = precision.parameter_dtype if asked == "auto" else DTYPES[asked]
    kept = _state_elements(config.optimizer)
    totals = {"param": 0, "grad": 0, "optimizer": 0}
    for part in arrange(model, config.zero):
        for parameters in part.buffers:
            shapes = {name: tuple(p.shape) for name, p in parameters.items()}
            layout = FlatLayout.of(shapes, world_size)
            is_whole = stays_whole(config.zero, layout.numel)
            totals["param"] += itemsize * (layout.padded if is_whole else layout.shard_numel)
            if not next(iter(parameters.values())).requires_grad:
                continue
            gradients = layout.padded if stage < 2 else layout.shard_numel
            totals["grad"] += gradient_dtype.itemsize * gradients
            owned = layout.numel if stage == 0 else layout.shard_numel
            per_element = 4 * (kept + (1 if precision.needs_master else 0))
            totals["optimizer"] += per_element * owned
    return Plan(totals["param"], totals["grad"], totals["optimizer"])


def _state_elements(config: OptimizerConfig) -> int:
    """Elements the optimizer keeps for each of a matrix, found by letting it make one step."""
    matrix = nn.Parameter(torch.ones(4, 4))
    matrix.grad = torch.ones(4, 4)
    [optimizer] = build_optimizers({"matrix": matrix}, config)
    optimizer.step()
    state = optimizer.state[matrix].values()
    return sum(isinstance(v, torch.Tensor) and v.shape == matrix.shape for v in state)
