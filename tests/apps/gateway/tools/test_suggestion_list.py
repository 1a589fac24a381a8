import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.tools.suggestion_list import MAX_TEXT_CHARS, Change, changes_in

ONE = '{"original": "old", "suggested": "new", "description": "why"}'
CHANGE = Change("old", "new", "why")


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        f"[{ONE}]",
        f"[{ONE},",
        f"Sure:\n```json\n[{ONE}]\n```",
        f'{{"suggestions": [{ONE}]}}',
        f'{{"suggestions": [{ONE}',
        f"{{broken {ONE}",
        '{"before": "old", "after": "new", "why": "why"}',
        '{"original": "\\"old\\"", "suggested": "new", "reason": "why"}',
        '{"original": "old", "suggested": "n\\u0000e\\ud800w", "description": "why"}',
    ],
)
def test_what_small_models_say(text: str) -> None:
    assert changes_in(text, "An old text.") == [CHANGE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would leave it as it is.",
        '{"original": "", "suggested": "new"}',
        '{"original": "other", "suggested": "new"}',
        '{"original": "old", "suggested": "old"}',
        '{"original": ["old"], "suggested": {"a": 1}}',
        '{"original": "old", "suggest',
    ],
)
def test_what_is_no_suggestion(text: str) -> None:
    assert changes_in(text, "An old text.") == []


@given(st.text(alphabet='{}[]":,old \\u', max_size=200))
def test_nothing_breaks_it(text: str) -> None:
    assert all(change.original in "An old text." for change in changes_in(text, "An old text."))


@pytest.mark.parametrize("piece", ["{", '{"a":', '{"a":[', '{"original":"old",', "}"])
def test_nonsense_takes_a_bounded_time(piece: str) -> None:
    began = time.process_time()
    assert changes_in(piece * MAX_TEXT_CHARS, "old") == []
    assert time.process_time() - began < 1
