"""raylm.initialize: from a module and a configuration to an Engine."""

import os
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from raylm.collectives.choose import Link, connect
from raylm.collectives.communicator import Communicator
from raylm.core.config import read_yaml
from raylm.core.errors import ConfigError
from raylm.core.schema import EngineConfig, ScheduleConfig, TrainConfig
from raylm.parallel.amp import DTYPES, Precision, choose_precision
from raylm.parallel.zero.optimizer import ShardedOptimizer
from raylm.parallel.zero.sharding import Sharding
from raylm.train.accumulation import Accumulation
from raylm.train.deepspeed import is_deepspeed_config, load_deepspeed
from raylm.train.engine import Engine, Rate
from raylm.train.optimizers.algorithms import is_elementwise, refuse_unsupported
from raylm.train.optimizers.build import build_optimizers
from raylm.train.schedule import learning_rate

ConfigSource = EngineConfig | Mapping[str, Any] | str | Path


def initialize(
    model: nn.Module,
    config: ConfigSource,
    optimizer: torch.optim.Optimizer | None = None,
    lr_scheduler: Any = None,
    *,
    device: torch.device | str | None = None,
    communicator: Communicator | None = None,
    link: Link = "auto",
    micro_batches: int | None = None,
) -> Engine:
    """Shard `model` in place over the ranks of the default torch.distributed group, if there is
    one, and return the engine that trains it.

    `config` is an EngineConfig, a mapping of its keys, a YAML file, or a DeepSpeed configuration
    (mapping or .json file). `optimizer` takes the place of the configured one and `lr_scheduler`
    of the configured schedule. A model on the meta device is given memory unit by unit, so that
    no rank ever holds all of a model that is larger than it. `micro_batches` of a step are given
    where their sizes differ, with `tokens` in every `backward`. All ranks must call this alike.
    Raises ConfigError.
    """
    place = _device(model, device)
    communicator = communicator or connect(place, link=link)
    settings, total_steps = read_config(config, communicator.world_size)
    try:
        micro_batches = micro_batches or settings.batch.accumulation(communicator.world_size)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    precision = choose_precision(settings.precision, settings.autocast, place)
    if optimizer is not None:
        refuse_unsupported(optimizer)
    optimizers = (
        [optimizer]
        if optimizer is not None
        else build_optimizers(dict(model.named_parameters()), settings.optimizer, place)
    )
    _place_buffers(model, precision, place)
    sharding = Sharding(
        model,
        settings.zero,
        communicator,
        place,
        parameter_dtype=partial(_parameter_dtype, precision),
        gradient_dtype=None
        if settings.gradient_dtype == "auto"
        else DTYPES[settings.gradient_dtype],
    )
    sharded = ShardedOptimizer(
        optimizers, [is_elementwise(o) for o in optimizers], sharding.gradients, communicator
    )
    rate = None if lr_scheduler is not None else _rate(settings.schedule, total_steps)
    return Engine(
        settings,
        sharding,
        sharded,
        precision,
        place,
        Accumulation(micro_batches, communicator.world_size),
        rate,
        lr_scheduler,
    )


def read_config(source: ConfigSource, world_size: int) -> tuple[EngineConfig, int | None]:
    """The settings, and the steps the schedule is to last where they are known."""
    if isinstance(source, EngineConfig):
        return source, source.steps if isinstance(source, TrainConfig) else None
    if not isinstance(source, Mapping) and Path(source).suffix != ".json":
        source = read_yaml(Path(source))
    if not isinstance(source, Mapping) or is_deepspeed_config(source):
        translation = load_deepspeed(source, world_size)
        for warning in translation.warnings:
            warnings.warn(warning, stacklevel=3)
        return translation.config, translation.total_steps
    kind = TrainConfig if "steps" in source else EngineConfig
    return read_config(kind.load(source), world_size)


def _rate(schedule: ScheduleConfig, total_steps: int | None) -> Rate | None:
    steps = schedule.total_steps or total_steps
    if schedule.name == "constant" and not schedule.warmup_steps:
        return None
    if steps is None:
        if schedule.name != "constant":
            raise ConfigError(
                f"schedule.name {schedule.name!r} needs schedule.total_steps, the steps it lasts"
            )
        steps = schedule.warmup_steps
    return lambda peak, step: learning_rate(schedule, peak, step, steps)


def _parameter_dtype(precision: Precision, own: torch.dtype) -> torch.dtype:
    """float64 models stay so in fp32 precision; 16-bit ones become float32."""
    if precision.needs_master:
        return precision.parameter_dtype
    return own if own in (torch.float32, torch.float64) else torch.float32


def _place_buffers(model: nn.Module, precision: Precision, device: torch.device) -> None:
    for buffer in model.buffers():
        if buffer.is_meta:
            continue
        buffer.data = buffer.data.to(device)
        if precision.needs_master and buffer.is_floating_point():
            buffer.data = buffer.data.to(precision.parameter_dtype)


def _device(model: nn.Module, device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    first = next((p for p in model.parameters() if not p.is_meta), None)
    if first is not None and first.device.type != "cpu":
        return first.device
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))
    return torch.device("cpu")
