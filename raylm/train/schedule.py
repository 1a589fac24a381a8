"""Learning rates as pure functions of the step."""

import math

from raylm.core.schema import ScheduleConfig


def learning_rate(schedule: ScheduleConfig, peak: float, step: int, steps: int) -> float:
    """The rate of optimizer step `step` (the first is 1, the last is `steps`).

    It rises linearly over the warm-up, reaches `peak` at its end, and falls to
    `peak * final_fraction` at the last step.
    """
    if step <= schedule.warmup_steps:
        return peak * step / schedule.warmup_steps
    progress = (step - schedule.warmup_steps) / max(1, steps - schedule.warmup_steps)
    return peak * _decay(schedule, min(1.0, progress))


def _decay(schedule: ScheduleConfig, progress: float) -> float:
    final = schedule.final_fraction
    match schedule.name:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - (1.0 - final) * progress
        case "cosine":
            return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))
