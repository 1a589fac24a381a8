"""Which checkpoints may be deleted (pure)."""

import math
from collections.abc import Iterable, Mapping


def expired(
    steps: Iterable[int],
    *,
    keep_last: int,
    latest: int | None,
    keep_best: int = 0,
    losses: Mapping[int, float] | None = None,
) -> list[int]:
    """All but the newest `keep_last`, the `keep_best` of the lowest loss and `latest`, in order.

    `losses` by step; of equal ones the newer is better, and NaN is never good.
    """
    ordered = sorted(set(steps))
    newest = ordered[max(0, len(ordered) - keep_last) :]
    measured = {step: loss for step, loss in (losses or {}).items() if not math.isnan(loss)}
    ranked = sorted(measured.keys() & ordered, key=lambda step: (measured[step], -step))
    kept = {*newest, *ranked[:keep_best], latest}
    return [step for step in ordered if step not in kept]
