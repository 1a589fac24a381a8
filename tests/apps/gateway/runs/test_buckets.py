"""Many steps as few points: nothing is lost but detail."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.runs.buckets import bucketed

VALUES = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=60)


def rows_of(values: list[float | None]) -> list[dict[str, Any]]:
    return [{"step": step, "t": 10.0 + step, "loss": value} for step, value in enumerate(values)]


@given(VALUES, st.integers(1, 20))
def test_every_row_is_in_one_bucket_and_its_extremes_are_kept(
    values: list[float | None], size: int
) -> None:
    buckets = bucketed(rows_of(values), size)
    assert sum(buckets.counts) == len(values)
    assert len(buckets.steps) == math.ceil(len(values) / size)
    assert buckets.steps[-1] == len(values) - 1
    finite = [value for value in values if value is not None]
    if not finite:
        assert "loss" not in buckets.columns
        return
    loss = buckets.columns["loss"]
    assert min(value for value in loss.least if value is not None) == min(finite)
    assert max(value for value in loss.most if value is not None) == max(finite)
    for place, mean in enumerate(loss.mean):
        bucket = [v for v in values[place * size : (place + 1) * size] if v is not None]
        assert (mean is None) == (not bucket)
        if mean is not None:
            assert math.isclose(mean, math.fsum(bucket) / len(bucket))


def test_a_spike_is_not_averaged_away() -> None:
    values: list[float | None] = [1.0] * 1000
    values[437] = 99.0
    loss = bucketed(rows_of(values), 100).columns["loss"]
    assert loss.most[4] == 99.0
    assert loss.least[4] == 1.0
    assert loss.mean[3] == 1.0


def test_a_column_that_comes_late_has_nothing_before() -> None:
    rows = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "heldout_loss": 2.5}]
    assert bucketed(rows, 1).columns["heldout_loss"].mean == [None, 2.5]


def test_what_is_no_number_and_what_is_told_again_is_passed_over() -> None:
    rows: list[dict[str, Any]] = [
        {"step": 1, "loss": 3.0, "note": "text", "flag": True},
        {"step": 1, "loss": 9.0},
        {"step": "2", "loss": 9.0},
        {"loss": 9.0},
        {"step": 2, "loss": None},
    ]
    buckets = bucketed(rows, 1)
    assert buckets.steps == [1, 2]
    assert buckets.columns.keys() == {"loss"}
    assert buckets.columns["loss"].mean == [3.0, None]
