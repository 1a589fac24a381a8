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
