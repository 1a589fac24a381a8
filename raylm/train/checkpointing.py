"""An engine's checkpoints: saved in the background, loaded at any world size and any stage."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from raylm.checkpoint import save
from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.save import write_tensors
from raylm.collectives.communicator import Communicator
from raylm.core.errors import CheckpointError
from raylm.core.json_file import read_json_object
from raylm.core.schema import EngineConfig
from raylm.parallel.loss_scale import LossScale
from raylm.parallel.zero import state
from raylm.parallel.zero.optimizer import ShardedOptimizer
from raylm.parallel.zero.sharding import Sharding
from raylm.train.accumulation import Accumulation
from raylm.train.saving import Records, Saver

STATE = "state.json"


class Trained(Protocol):
    """The engine as its checkpoints see it."""

    config: EngineConfig
    device: torch.device
    sharding: Sharding
    optimizer: ShardedOptimizer
    communicator: Communicator
    accumulation: Accumulation
    loss_scaler: LossScale
    lr_scheduler: Any
    saver: Saver
    loss_sum: Tensor
    global_steps: int
    skipped_steps: int

    @property
    def rank(self) -> int: ...

    @property
    def world_size(self) -> int: ...

    def set_scheduled_lr(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run keeps in its checkpoints beside the engine's state.

    `samples` consumed, its `config`, and files that rank 0 writes with `write`.
    """

    samples: int = 0
    config: Mapping[str, Any] | None = None
    write: Callable[[Path], None] = lambda folder: None


def start_save(
    engine: Trained,
    root: Path,
    name: str,
    client_state: Mapping[str, Any] | None,
    extras: Extras,
) -> None:
    """Every rank calls this. Raises CheckpointError where `client_state` is not JSON."""
    sharding = engine.sharding
    is_midway = engine.accumulation.passes > 0
    parts = [
        *state.parameter_parts(sharding, engine.optimizer),
        *state.optimizer_parts(sharding, engine.optimizer),
    ]
    if is_midway:
        sharding.reducer.reduce_all()
        parts += state.gradient_parts(sharding)
    text = _state_text(engine, is_midway, client_state)
    random_states = _random_states(engine.device)
    rank, step = engine.rank, engine.global_steps

    def write_small(folder: Path) -> None:
        write_tensors(folder / rng_file(rank), random_states)
        if rank == 0:
            extras.write(folder)
            (folder / STATE).write_text(text, encoding="utf-8")

    def commit(folder: Path, records: Records) -> Path:
        return save.commit(
            folder,
            step=step,
            samples=extras.samples,
            world_size=engine.world_size,
            config=extras.config or engine.config.to_dict(),
            tensors=records,
            name=name,
        )

    begin = partial(save.begin, root, name)
    engine.saver.start(step, begin, parts, write_small, commit)


def load(engine: Trained, place: Path, with_optimizer: bool = True) -> tuple[Path, Any]:
    """Every rank calls this; the checkpoint's folder and the client state saved in it.

    The ranks share the work of checking the files. Raises CheckpointError on all of them.
    """
    communicator = engine.communicator
    checkpoint = agreed(engine, lambda: open_shared(engine, place))
    source = checkpoint.shards()
    saved = read_json_object(checkpoint.folder / STATE)
    if with_optimizer:
        _require_same_optimizers(engine, saved["optimizers"])
    state.load_parameters(engine.sharding, engine.optimizer, source)
    if with_optimizer:
        state.load_optimizer(engine.optimizer, source)
        _resume(engine, saved["engine"])
        if saved["used"] is not None:
            state.load_gradients(engine.sharding, source, frozenset(saved["used"]))
        if saved["lr_scheduler"] is not None and engine.lr_scheduler is not None:
            engine.lr_scheduler.load_state_dict(saved["lr_scheduler"])
    own = rng_file(communicator.rank)
    if checkpoint.has(own):  # a rank that joined since then keeps its own seed
        _set_random_states(checkpoint.tensors(own), engine.device)
    return checkpoint.folder, saved["client_state"]


def open_shared(engine: Trained, place: Path) -> Checkpoint:
    rank, world_size = engine.rank, engine.world_size
    return Checkpoint.open(place, only=lambda file: sum(file.encode()) % world_size == rank)


def agreed(engine: Trained, act: Callable[[], Checkpoint]) -> Checkpoint:
    """What `act` gives, unless it fails on any rank: then all raise the same error."""
    result, fault = None, ""
    try:
        result = act()
    except CheckpointError as error:
        fault = str(error)
    faults = engine.communicator.gather_objects(fault, "the checkpoint's check")
    if first := next(filter(None, faults), ""):
        raise CheckpointError(first)
    assert result is not None
    return result


def rng_file(rank: int) -> str:
    return f"rng-{rank:05d}.safetensors"


def _state_text(engine: Trained, is_midway: bool, client_state: Mapping[str, Any] | None) -> str:
    used = {
        name
        for part in engine.sharding.gradients
        for name, is_used in zip(part.flat.parameters, part.used, strict=True)
        if is_used
    }
    gathered = engine.communicator.gather_objects(
        (used, engine.accumulation.tokens, float(engine.loss_sum)), "the state of the step"
    )
    tokens, loss_sum = (
        math.fsum(column) for column in zip(*(g[1:] for g in gathered), strict=True)
    )
    scheduler = engine.lr_scheduler
    content = {
        "engine": _progress(engine, tokens, loss_sum),
        "optimizers": _optimizer_names(engine),
        "used": sorted(set().union(*(g[0] for g in gathered))) if is_midway else None,
        "lr_scheduler": scheduler.state_dict() if hasattr(scheduler, "state_dict") else None,
        "client_state": dict(client_state or {}),
    }
    try:
        return json.dumps(content, indent=2, default=_plain) + "\n"
    except TypeError as error:
        raise CheckpointError(
            f"client_state or the lr_scheduler's state cannot be saved as JSON: {error}; keep "
            "numbers, texts, lists and mappings in it"
        ) from None


def _progress(engine: Trained, tokens: float, loss_sum: float) -> dict[str, Any]:
    """The numbers to go on from, `tokens` and `loss_sum` over all ranks."""
    return {
        **engine.accumulation.state(),
        "global_steps": engine.global_steps,
        "skipped_steps": engine.skipped_steps,
        "loss_scale": engine.loss_scaler.state(),
        "rates": [group["lr"] for group in engine.optimizer.groups],
        "tokens": tokens,
        "loss_sum": loss_sum,
    }


def _resume(engine: Trained, saved: Mapping[str, Any]) -> None:
    """Raises CheckpointError for a step begun in parts that do not fit this world size."""
    engine.accumulation.resume(saved)
    engine.global_steps = saved["global_steps"]
    engine.skipped_steps = saved["skipped_steps"]
    engine.loss_scaler.load(saved["loss_scale"])
    if engine.rank == 0:
        engine.accumulation.tokens = saved["tokens"]
        engine.loss_sum.fill_(saved["loss_sum"])
    if engine.lr_scheduler is not None:  # which changes what it finds in the groups
        for group, rate in zip(engine.optimizer.groups, saved["rates"], strict=True):
            group["lr"] = rate
    engine.set_scheduled_lr()


def _optimizer_names(engine: Trained) -> list[str]:
    return [type(optimizer).__name__ for optimizer in engine.optimizer.optimizers]


def _require_same_optimizers(engine: Trained, saved: list[str]) -> None:
    own = _optimizer_names(engine)
    if own != saved:
        raise CheckpointError(
            f"the checkpoint has the state of {' and '.join(saved)}, which {' and '.join(own)} "
            "cannot go on from; train with the same optimizer, or load the parameters alone with "
            "with_optimizer=False"
        )


def _plain(value: Any) -> Any:
    """Schedulers keep counters and sometimes functions, which are theirs to bring along again."""
    if isinstance(value, Tensor):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r}")


def _random_states(device: torch.device) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def _set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
