"""How a run is, by what it has written."""

import pytest

from raylm_apps.gateway.runs.status import SILENT_S, Status, status_of

STARTED = {"event": "epoch_started"}


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("finished", Status.FINISHED),
        ("failed", Status.FAILED),
        ("interrupted", Status.STOPPED),
        ("a word of a later version", Status.STOPPED),
    ],
)
def test_a_run_that_has_told_its_end(told: str, status: Status) -> None:
    ended = [STARTED, {"event": "run_finished", "status": told}]
    assert status_of(ended, 1e9, 0.0) is status
    assert status_of([*ended, STARTED], 1.0, 0.0) is Status.RUNNING


def test_a_run_that_says_nothing_may_take_long_over_a_step() -> None:
    assert status_of([], 1.0, 0.0) is Status.RUNNING
    assert status_of([STARTED], SILENT_S + 1, 1.0) is Status.SILENT
    assert status_of([STARTED], SILENT_S + 1, SILENT_S) is Status.RUNNING
