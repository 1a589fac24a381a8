"""What a ds_config means here, and whether a mapping is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from raylm.core.schema import EngineConfig, TrainConfig
from raylm.train.deepspeed.batch import MICRO, read_batch
from raylm.train.deepspeed.ignored import read_ignored
from raylm.train.deepspeed.optimizer import at_rate, read_optimizer
from raylm.train.deepspeed.precision import read_arithmetic
from raylm.train.deepspeed.schedule import read_schedule
from raylm.train.deepspeed.section import Section
from raylm.train.deepspeed.zero import read_zero


@dataclass(frozen=True)
class Translation:
    """`warnings` are one line each, begin with the key's full path and say what happens instead.

    `total_steps` is how long the scheduler says the run is, None where it does not say.
    """

    config: EngineConfig
    warnings: tuple[str, ...] = ()
    total_steps: int | None = None


def translate(tree: Mapping[str, Any], world_size: int) -> Translation:
    """The content of a ds_config.json for `world_size` data-parallel workers.

    Raises ConfigError for a batch that does not multiply out and for a known key of a wrong
    type or range.
    """
    root = Section(tree)
    config, total_steps = _read(root, world_size)
    root.warn_of_unknown()
    return Translation(config, tuple(root.warnings), total_steps)


def is_deepspeed_config(tree: Mapping[str, Any]) -> bool:
    """Whether more of the top-level keys are DeepSpeed's alone than are ours alone."""
    ours = {field.alias or name for name, field in TrainConfig.model_fields.items()}
    theirs = _known_keys() - ours
    votes = sum((key in theirs) - (key in ours - _known_keys()) for key in tree)
    optimizer = tree.get("optimizer")
    if isinstance(optimizer, Mapping):
        votes += ("type" in optimizer) - ("name" in optimizer)
    return votes > 0


def _read(root: Section, world_size: int) -> tuple[EngineConfig, int | None]:
    arithmetic = read_arithmetic(root)
    optimizer = read_optimizer(root)
    schedule = read_schedule(root, optimizer.lr)
    config = EngineConfig(
        batch=read_batch(root, world_size),
        optimizer=at_rate(optimizer, schedule.peak),
        schedule=schedule.config,
        gradient_clipping=_clipping(root),
        precision=arithmetic.precision,
        autocast=arithmetic.autocast,
        loss_scale=arithmetic.loss_scale,
        gradient_dtype=arithmetic.gradient_dtype,
        zero=read_zero(root, arithmetic),
    )
    read_ignored(root)
    return config, schedule.total_steps


def _clipping(root: Section) -> float | None:
    """Absent is none, as it was until DeepSpeed's pull request 8068 of June 2026 made it 1."""
    ours = EngineConfig().gradient_clipping
    return root.number("gradient_clipping", None, ours, zero=True) or None


@cache
def _known_keys() -> frozenset[str]:
    """The top-level keys, learnt from reading the smallest config so that no list goes stale."""
    root = Section({MICRO: 1})
    _read(root, world_size=1)
    return frozenset(root.known)
