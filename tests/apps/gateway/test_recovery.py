import pytest

from raylm_apps.gateway.recovery import is_abandoned, richer


@pytest.mark.parametrize(
    ("has_lease", "silent_s", "abandoned"),
    [
        (True, 1_000.0, False),
        (False, 1.0, False),
        (False, 6.0, True),
        (None, 6.0, False),
        (None, 61.0, True),
    ],
)
def test_who_is_silent_and_has_no_lease_is_dead(
    has_lease: bool | None, silent_s: float, abandoned: bool
) -> None:
    assert is_abandoned(has_lease=has_lease, silent_s=silent_s, lease_s=5.0) is abandoned


def test_the_longer_of_stream_and_checkpoint_is_kept() -> None:
    short, long = [{"type": "text", "text": "one"}], [{"type": "text", "text": "one two"}]
    assert richer(short, long) == richer(long, short) == long
    assert richer([{"type": "step-start"}], short) == short
    assert richer([], []) == []


def test_a_result_makes_an_answer_longer_and_a_decision_does_not() -> None:
    call = {"type": "tool-note", "toolCallId": "c1", "state": "approval-responded", "input": {}}
    decided = {**call, "approval": {"id": "a1", "approved": True, "reason": "x" * 500}}
    done = {**call, "state": "output-available", "output": "noted"}
    assert richer([decided], [done]) == richer([done], [decided]) == [done]
