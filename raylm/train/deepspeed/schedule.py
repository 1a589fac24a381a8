"""The scheduler section: DeepSpeed's five shapes as ours where they are the same."""

from dataclasses import dataclass

from raylm.core.errors import ConfigError
from raylm.core.schema import ScheduleConfig
from raylm.train.deepspeed.section import Section

CONSTANT = ScheduleConfig(name="constant")
_NO_COUNTERPART = (
    "LRRangeTest",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "StepLR",
)
_TYPES = ("WarmupLR", "WarmupDecayLR", "WarmupCosineLR", "OneCycle", *_NO_COUNTERPART)


@dataclass(frozen=True, slots=True)
class Schedule:
    """`peak` is the optimizer's learning rate: several of DeepSpeed's schedulers set it."""

    config: ScheduleConfig
    peak: float
    total_steps: int | None = None


def read_schedule(root: Section, lr: float) -> Schedule:
    """Without a scheduler the rate is constant, as in DeepSpeed."""
    section = root.section("scheduler")
    kind = section.choice("type", _TYPES, None)
    if kind is None:
        if section.value("params"):
            raise ConfigError("key 'scheduler.params' needs 'scheduler.type', e.g. WarmupLR")
        return Schedule(CONSTANT, lr)
    if kind in _NO_COUNTERPART:
        section.value("params")
        section.warn("type", f"{kind} has no counterpart; the learning rate stays {lr}")
        return Schedule(CONSTANT, lr)
    params = section.section("params")
    match kind:
        case "WarmupLR":
            return _warm_up(params, peak=params.number("warmup_max_lr", lr, lr))
        case "WarmupDecayLR":
            return _warm_up_and_decay(params, peak=params.number("warmup_max_lr", 1e-3, lr))
        case "WarmupCosineLR":
            return _warm_up_and_cosine(params, lr)
    return _one_cycle(params, lr)


def _warm_up(params: Section, peak: float) -> Schedule:
    start = _fraction(params, "warmup_min_lr", peak)
    config = ScheduleConfig(
        name="constant", warmup_steps=_warmup_steps(params), initial_fraction=start
    )
    return Schedule(config, peak)


def _warm_up_and_decay(params: Section, peak: float) -> Schedule:
    """It ends where it began, at warmup_min_lr."""
    bottom = _fraction(params, "warmup_min_lr", peak)
    config = ScheduleConfig(
        name="linear",
        warmup_steps=_warmup_steps(params),
        initial_fraction=bottom,
        final_fraction=bottom,
    )
    return Schedule(config, peak, _total_steps(params))


def _warm_up_and_cosine(params: Section, lr: float) -> Schedule:
    config = ScheduleConfig(
        name="cosine",
        warmup_steps=_warmup_steps(params),
        initial_fraction=params.number("warmup_min_ratio", 0.0, zero=True, below=1),
        final_fraction=params.number("cos_min_ratio", 1e-4, zero=True, below=1),
    )
    return Schedule(config, lr, _total_steps(params))


def _one_cycle(params: Section, lr: float) -> Schedule:
    """A straight line up and one down: our `linear`, not torch's half cosines of `one_cycle`."""
    peak = params.number("cycle_max_lr", lr)
    bottom = _fraction(params, "cycle_min_lr", peak)
    first = params.integer("cycle_first_step_size", 2000, least=1)
    second = params.integer("cycle_second_step_size", first)
    config = ScheduleConfig(
        name="linear", warmup_steps=first, initial_fraction=bottom, final_fraction=bottom
    )
    _warn_of_cycle(params)
    return Schedule(config, peak, first + second)


def _warn_of_cycle(params: Section) -> None:
    if params.flag("cycle_momentum", absent=True):
        params.warn("cycle_momentum", "the optimizer's momentum stays constant")
    for key in ("cycle_min_mom", "cycle_max_mom", "decay_mom_rate"):
        params.number(key, None, zero=True)
    for key in ("cycle_first_stair_count", "cycle_second_stair_count"):
        if params.integer(key, 0, least=-1) > 0:
            params.warn(key, "the rate moves at every step")
    interval = params.integer("decay_step_size", 0)
    if params.number("decay_lr_rate", 0.0, zero=True) > 0 and interval > 0:
        params.warn("decay_lr_rate", "the rate stays at its lower bound after the cycle")


def _warmup_steps(params: Section) -> int:
    steps = params.integer("warmup_num_steps", 1000, 0)
    if params.choice("warmup_type", ("log", "linear"), "log", "linear") == "log" and steps > 1:
        params.warn("warmup_type", "'log', DeepSpeed's default, is a linear warm-up here")
    return steps


def _total_steps(params: Section) -> int | None:
    return params.integer("total_num_steps", None, least=1)


def _fraction(params: Section, key: str, peak: float) -> float:
    """The lower learning rate under `key` as a part of `peak`."""
    low = params.number(key, 0.0, zero=True)
    if low > peak:
        raise ConfigError(
            f"key {params.path(key)!r} (value {low}): expected at most the peak {peak}"
        )
    return low / peak
