"""Learning rates as pure functions of the step."""

import math

from raylm.core.schema import ScheduleConfig

_ONE_CYCLE_WARMUP = 0.3  # Smith and Topin 2018 rise for 30 to 45 % of the steps


def learning_rate(schedule: ScheduleConfig, peak: float, step: int, steps: int) -> float:
    """The rate of optimizer step `step` (the first is 1, the last is `steps`).

    It rises over the warm-up from `peak * initial_fraction`, linearly but for `one_cycle`'s half
    cosine, reaches `peak` at its end, and falls to `peak * final_fraction` at the last step.
    `wsd` stays at the peak until the last `decay_fraction` of the steps (Hu et al. 2024), or the
    end of the warm-up where that is later.
    """
    warmup = _warmup_steps(schedule, steps)
    if step <= warmup:
        return _rise(schedule, peak, step, warmup)
    progress = (step - warmup) / max(1, steps - warmup)
    decaying = min(1.0, schedule.decay_fraction * steps / max(1, steps - warmup))
    return peak * _decay(schedule, min(1.0, progress), decaying)


def _warmup_steps(schedule: ScheduleConfig, steps: int) -> int:
    if schedule.name == "one_cycle" and not schedule.warmup_steps:
        return round(_ONE_CYCLE_WARMUP * steps)
    return schedule.warmup_steps


def _rise(schedule: ScheduleConfig, peak: float, step: int, warmup: int) -> float:
    start = peak * schedule.initial_fraction
    if schedule.name == "one_cycle":
        return start + (peak - start) * 0.5 * (1.0 - math.cos(math.pi * step / warmup))
    return start + (peak - start) * step / warmup


def _decay(schedule: ScheduleConfig, progress: float, decaying: float) -> float:
    """The rate over its peak; `progress` and `decaying` are parts of the steps after warm-up."""
    final = schedule.final_fraction
    match schedule.name:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - (1.0 - final) * progress
        case "cosine" | "one_cycle":
            return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))
        case "wsd":
            remaining = 1.0 - progress
            return 1.0 if remaining >= decaying else final + (1.0 - final) * remaining / decaying
