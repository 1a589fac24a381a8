"""Which checkpoints may be deleted (pure)."""

import math
from collections.abc import Iterable, Mapping


def expired(
    steps: Iterable[int],
    *,
    keep_last: int,
    latest: int,
    keep_best: int = 0,
    losses: Mapping[int, float] | None = None,
) -> list[int]:
    """All up to `latest` but its newest `keep_last` and the `keep_best` of lowest loss, in order.

    Steps after `latest` are of a run that went on from an older one. It replaces them when it gets
    there, perhaps just now, or they expire once they lie behind it. `losses` by step; of equal
    ones the newer is better, and NaN is never good.
    """
    ordered = sorted(step for step in set(steps) if step <= latest)
    newest = ordered[max(0, len(ordered) - keep_last) :]
    measured = {step: loss for step, loss in (losses or {}).items() if not math.isnan(loss)}
    ranked = sorted(measured.keys() & ordered, key=lambda step: (measured[step], -step))
    kept = {*newest, *ranked[:keep_best]}
    return [step for step in ordered if step not in kept]
