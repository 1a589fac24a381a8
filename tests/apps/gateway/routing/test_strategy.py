from collections import Counter
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.routing.strategy import Candidate, Strategy, choose

STRATEGIES = get_args(Strategy)
candidates = st.builds(
    Candidate,
    st.text("abcdef", min_size=1, max_size=3),
    weight=st.floats(0.01, 100),
    priority=st.integers(-1, 2),
    in_flight=st.integers(0, 50),
    latency_s=st.none() | st.floats(0.001, 60),
    price=st.none() | st.floats(0, 100),
)
several = st.lists(candidates, min_size=1, max_size=6)
draws = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from(STRATEGIES), several, draws)
def test_the_lowest_priority_comes_first_by_every_strategy(strategy, some, draw) -> None:
    chosen = choose(strategy, some, draw)
    assert chosen in some
    assert chosen.priority == min(candidate.priority for candidate in some)


@given(several, draws)
def test_nobody_is_less_busy_quicker_or_cheaper_than_who_is_chosen(some, draw) -> None:
    some = [Candidate(**{**vars(candidate), "priority": 0}) for candidate in some]
    busy = choose("least-busy", some, draw)
    assert busy.in_flight / busy.weight == min(one.in_flight / one.weight for one in some)
    quick = choose("lowest-latency", some, draw)
    unknown = [one for one in some if one.latency_s is None]
    assert quick in unknown if unknown else quick.latency_s == min(one.latency_s for one in some)
    cheap, prices = (
        choose("cheapest", some, draw),
        [one.price for one in some if one.price is not None],
    )
    assert cheap.price == min(prices, default=None)


def test_the_first_in_order_whatever_is_drawn() -> None:
    some = [Candidate("a"), Candidate("b", weight=99)]
    assert {choose("ordered", some, draw / 10).model for draw in range(10)} == {"a"}


def test_weights_are_shares_to_the_last_draw() -> None:
    some = [Candidate("a", weight=3), Candidate("b", weight=1), Candidate("c", weight=6)]
    shares = Counter(choose("weighted", some, draw / 1000).model for draw in range(1000))
    assert shares == {"a": 300, "b": 100, "c": 600}
