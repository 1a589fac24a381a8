from hypothesis import given
from hypothesis import strategies as st

from raylm.core.sampling import SamplingParams
from raylm.infer.scheduling.request import Request
from raylm.infer.speculation.drafter import NgramDrafter


def make(tokens: list[int]) -> Request:
    return Request("r", tokens, len(tokens), 999, SamplingParams(), seed=0)


def guess(drafter: NgramDrafter, request: Request, most: int) -> list[int]:
    return drafter.propose({request: most})[request]


def test_what_followed_last_time_is_said_again() -> None:
    request = make([1, 2, 3, 4, 5, 1, 2, 9, 8, 7, 1, 2])
    assert guess(NgramDrafter(), request, 3) == [9, 8, 7]


def test_the_longest_run_decides() -> None:
    request = make([6, 1, 2, 3, 50, 1, 2, 3, 60, 6, 1, 2, 3])
    assert guess(NgramDrafter(longest=4), request, 1) == [50]
    assert guess(NgramDrafter(longest=3), request, 1) == [60]


def test_nothing_new_nothing_guessed() -> None:
    assert guess(NgramDrafter(), make([1, 2, 3, 4]), 3) == []
    assert guess(NgramDrafter(), make([1]), 3) == []


def test_a_forgotten_request_begins_again() -> None:
    drafter, request = NgramDrafter(), make([1, 2, 3, 1, 2])
    assert guess(drafter, request, 2) == [3, 1]
    drafter.forget(request)
    request.token_ids[:] = [4, 5, 6, 4, 5]
    assert guess(drafter, request, 2) == [6, 4]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 5))
def test_tokens_one_by_one_give_what_a_search_gives(tokens: list[int], most: int) -> None:
    drafter, request = NgramDrafter(), make([])
    for token in tokens:
        request.token_ids.append(token)
        found = guess(drafter, request, most)
    assert found == searched(tokens, most)


def searched(tokens: list[int], most: int) -> list[int]:
    for size in (4, 3, 2):
        run = tokens[-size:]
        if len(run) == size:
            for end in range(len(tokens) - 1, size - 1, -1):
                if tokens[end - size : end] == run:
                    return tokens[end : end + most]
    return []
