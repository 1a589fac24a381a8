"""Engine: trains any module with ZeRO, mixed precision and gradient accumulation.

    engine = raylm.initialize(model, config)
    loss = loss_fn(engine(batch))
    engine.backward(loss)
    engine.step()

Works alone and in any process of a torch.distributed group: torchrun, multiprocessing, Ray.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from raylm.checkpoint.save import folder_name
from raylm.collectives.communicator import Communicator
from raylm.collectives.recorder import Recorder
from raylm.core.errors import CheckpointError, DivergenceError, RayLMError
from raylm.core.schema import EngineConfig
from raylm.parallel.amp import Precision
from raylm.parallel.loss_scale import LossScale
from raylm.parallel.zero.access import FullAccess
from raylm.parallel.zero.optimizer import ShardedOptimizer
from raylm.parallel.zero.sharding import Sharding
from raylm.train.accumulation import Accumulation, power_of_two
from raylm.train.agreement import Agreement, agree
from raylm.train.checkpointing import Extras, load, start_save
from raylm.train.saving import Saved, Saver

Rate = Callable[[float, int], float]  # (peak, step) -> learning rate


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Bytes of this rank's live tensors. `staging_bytes` is what reductions pass through and
    `gathered_bytes` what sharded parameters take beyond their shards at this moment."""

    param_bytes: int
    grad_bytes: int
    optimizer_bytes: int
    gathered_bytes: int
    staging_bytes: int
    peak_gathered_bytes: int
    replica_bytes: int


class Keeper(Protocol):
    """Whoever copies the engine's state while the next step computes."""

    @property
    def replica_bytes(self) -> int:
        """Of host memory that the copies take."""
        ...

    def settle(self) -> None:
        """Returns when the state has been copied and may change."""
        ...


class Engine:
    """Made by `raylm.initialize`. `lr_scheduler` has a `step` method, called once an update."""

    def __init__(
        self,
        config: EngineConfig,
        sharding: Sharding,
        optimizer: ShardedOptimizer,
        precision: Precision,
        device: torch.device,
        accumulation: Accumulation,
        rate: Rate | None = None,
        lr_scheduler: Any = None,
    ) -> None:
        self.config, self.precision, self.device = config, precision, device
        self.sharding, self.optimizer, self.accumulation = sharding, optimizer, accumulation
        self.communicator: Communicator = sharding.communicator
        self.loss_scaler = (
            LossScale(config.loss_scale) if precision.scales_loss else LossScale.none()
        )
        self.lr_scheduler = lr_scheduler
        self.global_steps = 0
        self.skipped_steps = 0
        self.grad_norm = 0.0
        self.mean_loss = math.nan
        self.tokens = 0.0
        self.was_skipped = False
        self._skipped_in_a_row = 0
        self._rate = rate
        self._peaks = [float(group["lr"]) for group in optimizer.groups]  # type: ignore[arg-type]
        self._is_synced = True
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self.saver = Saver(self.communicator)
        self._access = FullAccess(sharding, optimizer)
        self.keeper: Keeper | None = None
        self.set_scheduled_lr()

    @property
    def module(self) -> nn.Module:
        return self.sharding.module

    @property
    def rank(self) -> int:
        return self.communicator.rank

    @property
    def world_size(self) -> int:
        return self.communicator.world_size

    @property
    def lr(self) -> float:
        """Of the first parameter group."""
        return float(self.optimizer.groups[0]["lr"])  # type: ignore[arg-type]

    @property
    def loss_scale(self) -> float:
        return self.loss_scaler.scale

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """The module's forward; floating-point inputs are cast to its precision."""
        if self.precision.needs_master:
            inputs, named = tree_map(self._cast, (inputs, named))
        with self.precision.autocast_context(self.device):
            return self.module(*inputs, **named)

    def train(self, mode: bool = True) -> Self:
        self.module.train(mode)
        return self

    def eval(self) -> Self:
        return self.train(False)

    def is_gradient_accumulation_boundary(self) -> bool:
        """Whether the next `step` updates the parameters."""
        return self.accumulation.is_last

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Backward passes inside are not summed over the ranks: their gradients stay here, whole,
        until the next pass outside, before which `step` may not update."""
        before, self._is_synced = self._is_synced, False
        try:
            yield
        finally:
            self._is_synced = before

    def backward(self, loss: Tensor, tokens: float | None = None) -> None:
        """Gradients of a scalar loss, the mean over `tokens` tokens of this micro-batch.

        The step's gradient is the mean over the micro-batches of all ranks, or over all of
        their tokens where `tokens` is given.
        """
        if loss.ndim:
            raise RayLMError(f"the loss must be a scalar, this has the shape {tuple(loss.shape)}")
        if tokens is not None and not self.accumulation.unit_tokens:
            self._agree_on_unit(tokens)
        scale = self.accumulation.weigh(tokens) * self.loss_scaler.scale
        self.loss_sum += loss.detach() * (1.0 if tokens is None else tokens)
        whole = self.sharding.reduces_every_pass or self.accumulation.is_last
        self.sharding.begin_backward(reduces=whole and self._is_synced)
        try:
            loss = loss if loss.dtype == torch.float64 else loss.float()
            torch.autograd.backward(loss if scale == 1.0 else loss * scale)
            self.sharding.end_backward()
        except BaseException:
            self.sharding.abort_backward()
            self._forget()
            raise

    def step(self) -> None:
        """At the last micro-batch of a step: clip, update, advance the schedule.

        A step whose loss or gradient is not finite on any rank changes nothing on all of them.
        Raises DivergenceError after `max_skipped_in_a_row` of these.
        """
        if not self.accumulation.is_last:
            self.accumulation.micro_step += 1
            return
        if not self.sharding.reducer.is_reduced:
            raise RayLMError(
                "engine.step() while gradients of no_sync() are not summed over the ranks; run "
                "the last backward pass of a step outside of no_sync()"
            )
        agreed = self._agree()
        loss_sum, passes, self.tokens, written, failed = agreed.sums
        self.saver.settle(written, failed)
        self.mean_loss = loss_sum / (self.tokens or passes or math.nan)
        correction = self.accumulation.correction(self.tokens) / self.loss_scaler.scale
        self.grad_norm = agreed.norm * correction
        self.was_skipped = not (math.isfinite(loss_sum) and math.isfinite(self.grad_norm))
        if self.was_skipped:
            self._skip()
        else:
            self._update(agreed.used, correction * self._clip_factor())
        self._start_next()
        self._require_progress()

    def _agree(self) -> Agreement:
        done = self.accumulation
        numbers = (done.passes, done.tokens, *self.saver.progress())
        return agree(
            self.sharding.gradients,
            self.communicator,
            [self.loss_sum, *torch.tensor(numbers, dtype=torch.float64, device=self.device)],
        )

    def train_batch(self, batches: Iterator[Any]) -> float:
        """One optimizer step on the next micro-batches; the mean loss over those of this rank.

        The module must return its loss: a scalar, or an object with `loss`.
        """
        losses = []
        for _ in range(self.accumulation.micro_batches - self.accumulation.micro_step):
            batch = next(batches)
            output = self(**batch) if isinstance(batch, dict) else self(*_as_tuple(batch))
            loss = output if isinstance(output, Tensor) else _loss_of(output)
            self.backward(loss)
            self.step()
            losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def set_lr(self, lr: float) -> None:
        """The first group's; the others keep their proportion to it."""
        for group, peak in zip(self.optimizer.groups, self._peaks, strict=True):
            group["lr"] = lr * (peak / self._peaks[0])

    def set_scheduled_lr(self) -> None:
        """The learning rate of the step to come."""
        if self._rate is not None:
            for group, peak in zip(self.optimizer.groups, self._peaks, strict=True):
                group["lr"] = self._rate(peak, self.global_steps + 1)

    def memory_report(self) -> MemoryReport:
        residency = self.sharding.residency
        return MemoryReport(
            param_bytes=self.sharding.parameter_bytes,
            grad_bytes=self.sharding.gradient_bytes,
            optimizer_bytes=self.optimizer.held_bytes,
            gathered_bytes=residency.gathered_bytes,
            staging_bytes=self.sharding.staging_bytes,
            peak_gathered_bytes=residency.peak_gathered_bytes,
            replica_bytes=0 if self.keeper is None else self.keeper.replica_bytes,
        )

    def comm_report(self) -> Recorder:
        """Bytes this rank had to send since the start, or the last `comm_report().reset()`."""
        return self.communicator.recorder

    def full_state_dict(self, rank0_only: bool = False) -> dict[str, Tensor]:
        """The module's state dict with whole parameters at full precision; empty on the other
        ranks with `rank0_only`. Every rank calls this, as all of the methods below."""
        mine = not rank0_only or self.rank == 0
        whole = {name: value for name, value in self._access.parameters() if mine}
        names = {id(p): n for flat in self.sharding.flats for n, p in flat.parameters.items()}
        entries = self.module.state_dict(keep_vars=True) if mine else {}
        return {
            key: whole[names[id(value)]] if id(value) in names else value.detach().clone()
            for key, value in entries.items()
        }

    def full_optimizer_state(self, rank0_only: bool = False) -> dict[str, dict[str, Any]]:
        """By parameter name and kind, e.g. `state["layers.0.weight"]["exp_avg"]`."""
        states = self._access.optimizer_states()
        return states if not rank0_only or self.rank == 0 else {}

    def get_full_param(self, name: str) -> Tensor:
        return self._access.parameter(name)

    def set_full_param(self, name: str, value: Tensor) -> None:
        self._access.set_parameter(name, value)

    def get_full_grad(self, name: str) -> Tensor | None:
        """The mean gradient between the last backward pass of a step and `step`; None where no
        rank used the parameter."""
        return self._access.gradient(name, self._gradient_scale())

    def set_full_grad(self, name: str, value: Tensor) -> None:
        self._access.set_gradient(name, value, self._gradient_scale())

    def get_full_optimizer_state(self, name: str, kind: str) -> Any:
        return self._access.optimizer_state(name, kind)

    def set_full_optimizer_state(self, name: str, kind: str, value: Tensor) -> None:
        self._access.set_optimizer_state(name, kind, value)

    def save_checkpoint(
        self,
        folder: Path | str,
        tag: str | None = None,
        client_state: Mapping[str, Any] | None = None,
        *,
        wait: bool = True,
        extras: Extras | None = None,
    ) -> None:
        """Into `folder`/`tag`, by default `step-` and the number of the step.

        With `wait=False` the files are written while training goes on; `saved()` tells when
        one is done. Raises CheckpointError where it cannot be written.
        """
        name = tag or folder_name(self.global_steps)
        start_save(self, Path(folder), name, client_state, extras or Extras())
        if wait:
            for saved in self.finish_saving():
                if saved.error:
                    raise CheckpointError(f"step {saved.step}: {saved.error}")

    def saved(self) -> list[Saved]:
        """Checkpoints that were finished, or failed, since the last call; complete on rank 0."""
        return self.saver.poll()

    def finish_saving(self) -> list[Saved]:
        """Wait for the checkpoint under way, if any; the same on every rank."""
        self.saver.finish()
        own = self.saver.poll()
        saved: list[Saved] = self.communicator.gather_objects(own, "saved checkpoints")[0]
        return saved

    def load_checkpoint(
        self, folder: Path | str, tag: str | None = None, *, with_optimizer: bool = True
    ) -> tuple[Path, dict[str, Any]]:
        """The latest checkpoint of `folder`, or its checkpoint `tag`: whatever the world size and
        the stage it was saved at. Gives its path and the client state saved in it.

        Raises CheckpointError naming file, tensor, expected and found.
        """
        return load(self, Path(folder) / tag if tag else Path(folder), with_optimizer)

    def close(self) -> None:
        """Leave the group, with a checkpoint under way finished."""
        self.finish_saving()
        self.saver.close()
        self.sharding.retire()
        self.communicator.close()

    def abandon(self) -> None:
        """Leave a group that has failed: nothing is waited for, and nothing can be done with the
        engine any more. From any thread."""
        self.sharding.retire()
        self.saver.abandon()
        self.communicator.abandon()

    def _gradient_scale(self) -> float:
        tokens = torch.tensor(self.accumulation.tokens, dtype=torch.float64, device=self.device)
        self.communicator.all_reduce(tokens, "the step's tokens")
        return self.accumulation.correction(tokens.item()) / self.loss_scaler.scale

    def _update(self, used: frozenset[str], scale: float) -> None:
        if self.keeper is not None:
            self.keeper.settle()
        self.optimizer.step(scale, used)
        self.sharding.publish()
        self.loss_scaler.update(overflowed=False)
        self._skipped_in_a_row = 0
        if self.lr_scheduler is not None:
            self.lr_scheduler.step()

    def _skip(self) -> None:
        self.loss_scaler.update(overflowed=True)
        self.skipped_steps += 1
        self._skipped_in_a_row += 1

    def _require_progress(self) -> None:
        if self._skipped_in_a_row >= self.config.max_skipped_in_a_row:
            raise DivergenceError(
                f"step {self.global_steps}: loss or gradient not finite for "
                f"{self._skipped_in_a_row} steps in a row (loss scale {self.loss_scaler.scale:g}); "
                "lower optimizer.lr, look at the data, or raise max_skipped_in_a_row"
            )

    def _forget(self) -> None:
        """The step so far: the next pass is its first."""
        self.sharding.reducer.clear()
        self.loss_sum.zero_()
        self.accumulation.restart()

    def _start_next(self) -> None:
        self._forget()
        self.global_steps += 1
        self.set_scheduled_lr()

    def _clip_factor(self) -> float:
        """As torch's clip_grad_norm_ scales gradients of this norm."""
        limit = self.config.gradient_clipping
        return 1.0 if limit is None else min(1.0, limit / (self.grad_norm + 1e-6))

    def _agree_on_unit(self, tokens: float) -> None:
        unit = torch.tensor(power_of_two(tokens), dtype=torch.float64, device=self.device)
        self.communicator.broadcast(unit, "the unit of tokens")
        self.accumulation.unit_tokens = unit.item()

    def _cast(self, value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            return value.to(self.precision.parameter_dtype)
        return value


def _as_tuple(batch: Any) -> Sequence[Any]:
    return batch if isinstance(batch, list | tuple) else (batch,)


def _loss_of(output: Any) -> Tensor:
    loss = output.get("loss") if isinstance(output, dict) else getattr(output, "loss", None)
    if not isinstance(loss, Tensor):
        raise RayLMError(
            f"train_batch needs a module that returns its loss, this returned "
            f"{type(output).__name__}; use engine(batch), engine.backward(loss), engine.step()"
        )
    return loss
