from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from raylm.core.errors import ConfigError
from raylm.core.sampling import FinishReason
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.request import PLACEHOLDER, Request, RequestState
from raylm.infer.scheduling.scheduler import Limits, Scheduler
from raylm.infer.scheduling.waiting import PATIENCE
from tests.infer.dry_run import DryRun, make_requests, shape


def make(
    num_blocks: int = 16,
    block_size: int = 4,
    max_running: int = 4,
    max_batch_tokens: int = 8,
    lag: int = 0,
    prefix_cache: bool = True,
) -> DryRun:
    limits = Limits(max_running, max_batch_tokens, prefix_cache)
    return DryRun(Scheduler(BlockPool(num_blocks, block_size), limits), lag)


def request(length: int, output: int, name: str = "r", first: int = 0, **rest: object) -> Request:
    """A prompt that begins like no other of a different `first`."""
    (made,) = make_requests(
        [first * 1000 + place for place in range(length)], output, 1, name, **rest
    )
    return made


class Traffic(RuleBasedStateMachine):
    """Requests come, grow, are aborted in any state, and at last all leave."""

    @initialize(
        num_blocks=st.integers(4, 20),
        block_size=st.integers(1, 5),
        max_running=st.integers(1, 5),
        extra_tokens=st.integers(0, 12),
        lag=st.integers(0, 1),
        stop_id=st.sampled_from([None, 0]),
        prefix_cache=st.booleans(),
    )
    def start(
        self,
        num_blocks: int,
        block_size: int,
        max_running: int,
        extra_tokens: int,
        lag: int,
        stop_id: int | None,
        prefix_cache: bool,
    ) -> None:
        self.limits = Limits(max_running, max_running + extra_tokens, prefix_cache)
        self.scheduler = Scheduler(BlockPool(num_blocks, block_size), self.limits)
        self.engine = DryRun(self.scheduler, lag, stop_id)

    @rule(
        prompt=st.lists(st.integers(0, 1), min_size=1, max_size=30),
        output=st.integers(1, 30),
        n=st.integers(1, 3),
        user=st.sampled_from("abc"),
        priority=st.integers(-1, 1),
    )
    def submit(self, prompt: list[int], output: int, n: int, user: str, priority: int) -> None:
        capacity = self.scheduler.pool.num_blocks * self.scheduler.pool.block_size
        prompt = prompt[: capacity - 1]
        output = min(output, capacity - len(prompt))
        name = str(len(self.engine.truth))
        self.engine.submit(*make_requests(prompt, output, n, name, user, priority))

    @precondition(lambda self: self.engine.unfinished)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.engine.unfinished))
        self.engine.abort(request)
        assert request.blocks == []

    @rule()
    def clear_the_cache(self) -> None:
        self.scheduler.cache.clear()

    @rule()
    def step(self) -> None:
        may_wait = bool(self.engine.in_flight)
        plan = self.engine.step()
        assert plan.num_tokens <= self.limits.max_batch_tokens
        assert len(self.scheduler.running) <= self.limits.max_running
        assert plan.chunks or may_wait or not self.engine.unfinished
        for chunk in plan.chunks:
            assert chunk.length >= 1
            assert chunk.start + chunk.length <= chunk.request.max_length - 1

    @rule(count=st.integers(2, 8))
    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    @invariant()
    def accounts_and_tree_are_true(self) -> None:
        self.engine.check_accounts()
        self.engine.check_tree()

    @invariant()
    def ranks_are_kept_and_all_are_somewhere(self) -> None:
        running = self.scheduler.running
        assert running == sorted(running, key=lambda r: r.rank)
        queued = [*running, *self.scheduler.waiting]
        assert Counter(queued) == Counter(self.engine.unfinished)
        assert len(self.scheduler.waiting) == len(queued) - len(running)

    def teardown(self) -> None:
        self.engine.run()
        assert self.engine.unfinished == []
        pool = self.scheduler.pool
        assert sorted(self.scheduler.cache.allocate(pool.num_blocks)) == list(
            range(pool.num_blocks)
        )


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_long_prompt_is_cut_into_chunks_beside_a_decode() -> None:
    engine = make(max_running=2, max_batch_tokens=6)
    engine.submit(request(3, 10, "short"), request(14, 10, "long", first=1))
    assert [shape(engine.step()) for _ in range(5)] == [
        [("short", 0, 3, True), ("long", 0, 3, False)],
        [("short", 3, 1, True), ("long", 3, 5, False)],
        [("short", 4, 1, True), ("long", 8, 5, False)],
        [("short", 5, 1, True), ("long", 13, 1, True)],
        [("short", 6, 1, True), ("long", 14, 1, True)],
    ]


def test_the_youngest_gives_its_blocks_to_the_oldest_and_finds_again_what_was_not_needed() -> None:
    engine = make(num_blocks=6, max_running=2, max_batch_tokens=16)
    old, young = request(7, 14, "old"), request(8, 9, "young", first=1)
    engine.submit(old, young)
    while young.state is not RequestState.PREEMPTED:
        engine.step()
    assert old.state is RequestState.RUNNING
    assert engine.scheduler.totals.preemptions == 1
    while young.state is RequestState.PREEMPTED:
        plan = engine.step()
    assert young.cached_length == 0  # what is reported is of its prompt's first admission
    assert shape(plan)[-1][1] == 4  # one of its blocks was evicted, its leaf first
    engine.run()
    assert (old.output_length, young.output_length) == (14, 9)


@pytest.mark.parametrize(("num_blocks", "admitted"), [(4, 1), (5, 2)])
def test_a_newcomer_leaves_a_free_block_to_who_runs(num_blocks: int, admitted: int) -> None:
    engine = make(num_blocks=num_blocks, max_batch_tokens=16)
    engine.submit(request(8, 4, "old"), request(8, 4, "new", first=1))
    assert len(engine.step().chunks) == admitted


def test_choices_reuse_the_whole_blocks_of_their_prompt() -> None:
    engine = make(max_batch_tokens=32)
    requests = make_requests(list(range(9)), 4, n=3)
    engine.submit(*requests)
    assert shape(engine.step()) == [("r", 0, 9, True)]
    assert shape(engine.step()) == [("r", 9, 1, True), ("r", 8, 1, True), ("r", 8, 1, True)]
    assert [r.cached_length for r in requests] == [0, 8, 8]
    assert requests[1].blocks[:2] == requests[2].blocks[:2] == requests[0].blocks[:2]
    assert len({r.blocks[2] for r in requests}) == 3


def test_a_prompt_of_whole_blocks_still_computes_its_last_token() -> None:
    engine = make(max_batch_tokens=32)
    engine.submit(*make_requests(list(range(8)), 4, n=2))
    engine.step()
    assert shape(engine.step())[1] == ("r", 4, 4, True)


def test_without_a_prefix_cache_nothing_is_shared() -> None:
    engine = make(max_batch_tokens=32, prefix_cache=False)
    engine.submit(*make_requests(list(range(9)), 4, n=2))
    assert shape(engine.step()) == [("r", 0, 9, True), ("r", 0, 9, True)]
    engine.run()
    assert list(engine.scheduler.cache.nodes()) == []


def test_requests_that_arrive_together_compute_their_common_beginning_once() -> None:
    engine = make(num_blocks=64, max_running=32, max_batch_tokens=32)
    common = list(range(40))
    requests = [make_requests([*common, 100 + i], 2, name=str(i))[0] for i in range(12)]
    engine.submit(*requests)
    computed = 0
    while engine.scheduler.has_work:
        computed += engine.step().num_tokens
    assert computed == 40 + 12 * 2
    assert [r.cached_length for r in requests] == [0] + [40] * 11
    totals = engine.scheduler.totals
    assert (totals.prompt_tokens, totals.cached_tokens) == (12 * 41, 11 * 40)


def test_who_shares_only_a_beginning_waits_only_for_that() -> None:
    engine = make(num_blocks=64, max_batch_tokens=8)
    long, other = request(40, 2, "long"), request(40, 2, "other")
    other.token_ids[8:] = range(500, 532)
    engine.submit(long, other)
    engine.step()
    assert other.state is RequestState.WAITING
    engine.scheduler.finish(long, FinishReason.ABORT)
    assert shape(engine.step()) == [("other", 8, 8, False)]


def test_a_conversation_goes_on_from_its_last_answer() -> None:
    engine = make(max_batch_tokens=32)
    first = request(6, 7, "first")
    engine.submit(first)
    engine.run()
    (second,) = make_requests([*first.token_ids, 9, 9], 2, name="second")
    engine.submit(second)
    assert shape(engine.step()) == [("second", 12, 3, True)]


def test_the_least_recently_used_prefix_makes_room_leaf_first() -> None:
    engine = make(num_blocks=6, max_batch_tokens=32)
    for first in (1, 2, 1, 3):
        engine.submit(request(8, 1, first=first))
        engine.run()
    starts = []
    for first, length in ((4, 4), (1, 9), (2, 8)):  # four's block is one of two's
        engine.submit(request(length, 1, first=first))
        starts.append(engine.step().chunks[0].start)
        engine.run()
    assert starts == [0, 8, 0]


def test_choices_outlive_an_aborted_sibling() -> None:
    engine = make(max_batch_tokens=32)
    first, second = make_requests(list(range(9)), 4, n=2)
    engine.submit(first, second)
    engine.step()
    engine.step()
    shared = first.blocks[:2]
    engine.abort(first)
    assert second.blocks[:2] == shared
    assert [engine.scheduler.pool.references(block) for block in shared] == [2, 2]
    engine.run()


def test_a_request_whose_last_token_is_on_its_way_is_not_planned() -> None:
    engine = make(lag=1)
    last, other = request(6, 2, "last"), request(5, 9, "other", first=1)
    engine.submit(last, other)
    engine.step()
    engine.step()
    assert last.token_ids[-1] == PLACEHOLDER
    plan = engine.scheduler.schedule()
    assert [chunk.request for chunk in plan.chunks] == [other]
    assert last.state is RequestState.RUNNING
    assert last in engine.scheduler.running
    engine.scheduler.finish(last, FinishReason.LENGTH)
    assert engine.scheduler.running == [other]


def test_a_block_with_an_unknown_token_is_not_cached() -> None:
    engine = make(lag=1, max_batch_tokens=32)
    one = request(7, 9)
    engine.submit(one)
    engine.step()
    engine.scheduler.schedule()  # computes the eighth token, whose id is not known
    one.computed_length += 1
    assert (one.computed_length, one.token_ids[7]) == (8, PLACEHOLDER)
    engine.abort(one)
    assert [node.key for node in engine.scheduler.cache.nodes()] == [(0, 1, 2, 3)]


def test_a_preempted_request_waits_for_the_token_it_has_in_flight() -> None:
    engine = make(lag=1, max_running=1, max_batch_tokens=32)
    low, high = request(6, 9, "low"), request(6, 1, "high", first=1, priority=1)
    engine.submit(low)
    engine.step()
    engine.submit(high)
    engine.scheduler.schedule()
    engine.abort(high)
    assert low.state is RequestState.PREEMPTED
    assert low.token_ids[-1] == PLACEHOLDER
    assert engine.scheduler.schedule().chunks == ()
    low.token_ids[-1] = 5
    assert shape(engine.scheduler.schedule()) == [("low", 4, 3, True)]


def test_a_request_that_ends_in_flight_frees_its_blocks_at_once() -> None:
    engine = make(lag=1, num_blocks=4, max_batch_tokens=32)
    ended, next_one = request(9, 7, "ended"), request(13, 3, "next", first=1)
    engine.submit(ended)
    engine.step()
    engine.step()
    assert ended in {r for r, _ in engine.in_flight}
    engine.abort(ended)
    assert engine.scheduler.free_blocks == 4
    engine.submit(next_one)
    assert [chunk.request for chunk in engine.step().chunks] == [next_one]


def test_after_clearing_nothing_old_is_found_or_left_behind() -> None:
    engine = make(max_batch_tokens=32)
    old, new = request(9, 9, "old"), request(9, 1, "new")
    engine.submit(old)
    engine.step()
    engine.scheduler.cache.clear()
    engine.abort(old)
    assert list(engine.scheduler.cache.nodes()) == []
    engine.submit(new)
    assert shape(engine.step()) == [("new", 0, 9, True)]
    engine.check_accounts()


def test_a_higher_priority_takes_a_lower_ones_place_and_gives_it_back() -> None:
    engine = make(max_running=2, max_batch_tokens=32, num_blocks=32)
    low = [request(8, 9, f"low{i}", first=i) for i in range(2)]
    engine.submit(*low)
    engine.step()
    high = request(8, 3, "high", first=7, priority=5)
    engine.submit(high)
    assert [r[0] for r in shape(engine.step())] == ["high", "low0"]
    assert low[1].state is RequestState.PREEMPTED
    engine.run()
    assert low[1].output_length == 9
    assert engine.scheduler.totals.preemptions == 1


def test_a_higher_priority_takes_a_lower_ones_blocks() -> None:
    engine = make(num_blocks=5, max_batch_tokens=32)
    low, high = request(15, 4, "low"), request(12, 4, "high", first=1, priority=1)
    engine.submit(low)
    engine.step()
    engine.submit(high)
    assert [r[0] for r in shape(engine.step())] == ["high"]
    engine.run()


def test_nobody_is_preempted_in_vain() -> None:
    engine = make(num_blocks=6, max_batch_tokens=32)
    engine.submit(request(8, 9, "top", priority=2), request(4, 9, "low", first=1))
    engine.step()
    engine.submit(request(16, 4, "middle", first=2, priority=1))
    assert [r[0] for r in shape(engine.step())] == ["top", "low"]


def test_tokens_and_places_go_to_higher_priorities_first() -> None:
    engine = make(max_batch_tokens=8, num_blocks=64)
    engine.submit(request(30, 1, "low"))
    engine.step()
    engine.submit(request(20, 1, "high", first=1, priority=1))
    assert shape(engine.step()) == [("high", 0, 7, False), ("low", 8, 1, False)]


@given(levels=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=5, unique=True))
@settings(max_examples=20, deadline=None)
def test_a_low_priority_has_its_turn_after_a_bounded_number_of_others(levels: list[int]) -> None:
    """At most PATIENCE, and one of each other priority; then it runs to its end unhindered."""
    engine = make(max_running=1, max_batch_tokens=8)
    low = request(3, 5, "low", priority=min(levels) - 1)
    engine.submit(low)
    before = 0
    for number in range(200):
        for level in levels:
            engine.submit(request(2, 1, str(number), first=number, priority=level))
        if low in {chunk.request for chunk in engine.step().chunks}:
            break
        before += 1
    assert PATIENCE - 1 <= before <= PATIENCE + len(levels)
    for _ in range(4):
        engine.submit(request(2, 1, priority=max(levels)))
        engine.step()
    assert low.state is RequestState.FINISHED


@given(data=st.data(), flood=st.integers(2, 40), max_running=st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_users_of_equal_demand_are_served_alike(
    data: st.DataObject, flood: int, max_running: int
) -> None:
    """However many requests one sends before the other: never further apart than what the
    requests that run together may still take."""
    most = 24 + 12  # a request's tokens, and a prompt that is charged but not computed yet
    engine = make(num_blocks=64, max_running=max_running, max_batch_tokens=16)
    names = iter(range(10_000))

    def send(user: str) -> None:
        prompt, output = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
        engine.submit(request(prompt, output, first=next(names), user=user))

    for _ in range(flood):
        send("heavy")
    for _ in range(60):
        waiting = Counter(r.user for r in engine.scheduler.waiting)
        if not waiting["heavy"]:
            break
        for _ in range(max_running + 1 - waiting["light"]):  # it always has one waiting
            send("light")
        engine.step()
        apart = engine.served["heavy"] - engine.served["light"]
        assert abs(apart) <= max_running * most


def test_tokens_drawn_count_as_service() -> None:
    engine = make(max_running=1)
    for number in range(60):
        engine.submit(request(1, 12, first=2 * number, user="long"))
        engine.submit(request(1, 1, first=2 * number + 1, user="short"))
    for _ in range(80):
        engine.step()
        assert abs(engine.served["long"] - engine.served["short"]) <= 13
    assert engine.served["short"] > 30


def test_first_come_first_served_within_a_user() -> None:
    engine = make(max_running=1, max_batch_tokens=32)
    requests = [request(3, 2, str(i), first=i) for i in range(6)]
    engine.submit(*requests)
    engine.run()
    assert [r.seniority for r in requests] == list(range(6))


def test_the_same_traffic_gives_the_same_plans() -> None:
    def plans() -> list[object]:
        engine = make(num_blocks=6, max_running=3, max_batch_tokens=5)
        for number in range(6):
            engine.submit(request(3 + number, 5, str(number), first=number % 2))
        made: list[object] = []
        while engine.scheduler.has_work:
            plan = engine.step()
            made.append((shape(plan), [list(c.request.blocks) for c in plan.chunks]))
        return made

    assert plans() == plans()


def test_a_budget_too_small_for_its_decodes_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_batch_tokens 3 is less than max_running 4"):
        Limits(max_running=4, max_batch_tokens=3)
