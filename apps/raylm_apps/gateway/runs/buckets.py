"""Many steps as few points, of which none hides a spike: each knows its least and its most."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

NOT_DRAWN = frozenset({"step", "t", "sample_index_first", "sample_index_last"})


@dataclass
class Column:
    """None where a bucket has no value: not measured then, or not finite."""

    mean: list[float | None] = field(default_factory=list)
    least: list[float | None] = field(default_factory=list)
    most: list[float | None] = field(default_factory=list)


@dataclass
class Buckets:
    """`steps` and `times` are of the last row of each bucket."""

    steps: list[int] = field(default_factory=list)
    times: list[float | None] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    columns: dict[str, Column] = field(default_factory=dict)


def bucketed(rows: Iterable[Mapping[str, Any]], rows_per_bucket: int) -> Buckets:
    """In the order of steps: one that is told again, or late, is passed over."""
    buckets, bucket = Buckets(), _Bucket()
    last_step = -1
    for row in rows:
        step = row.get("step")
        if not isinstance(step, int) or step <= last_step:
            continue
        last_step = step
        bucket.add(step, row)
        if bucket.count == rows_per_bucket:
            bucket.end(buckets)
            bucket = _Bucket()
    if bucket.count:
        bucket.end(buckets)
    return buckets


class _Bucket:
    def __init__(self) -> None:
        self.count = 0
        self._step = 0
        self._time: float | None = None
        self._values: dict[str, list[float]] = {}

    def add(self, step: int, row: Mapping[str, Any]) -> None:
        self.count += 1
        self._step, self._time = step, _number(row.get("t"))
        for name, value in row.items():
            number = None if name in NOT_DRAWN else _number(value)
            if number is not None:
                self._values.setdefault(name, []).append(number)

    def end(self, buckets: Buckets) -> None:
        width = len(buckets.steps)
        buckets.steps.append(self._step)
        buckets.times.append(self._time)
        buckets.counts.append(self.count)
        for name in self._values.keys() - buckets.columns.keys():
            buckets.columns[name] = Column([None] * width, [None] * width, [None] * width)
        for name, column in buckets.columns.items():
            values = self._values.get(name)
            column.mean.append(math.fsum(values) / len(values) if values else None)
            column.least.append(min(values) if values else None)
            column.most.append(max(values) if values else None)


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]
