from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from raylm.core.errors import ConfigError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.infer.block_pool import BlockPool
from raylm.infer.request import Request, RequestState, requests_for
from raylm.infer.scheduler import Limits, Plan, Scheduler


def make_requests(prompt: int, output: int, n: int = 1, name: str = "r") -> list[Request]:
    params = SamplingParams(max_tokens=output, n=n, seed=0)
    ids = list(range(1, prompt + 1))
    return requests_for(name, ids, params, eos_ids=frozenset(), max_model_len=10_000)


def make_scheduler(
    num_blocks: int = 16, block_size: int = 4, max_running: int = 4, max_batch_tokens: int = 8
) -> Scheduler:
    return Scheduler(BlockPool(num_blocks, block_size), Limits(max_running, max_batch_tokens))


def complete(scheduler: Scheduler, plan: Plan) -> None:
    """What the engine does after a batch."""
    for chunk in plan.chunks:
        chunk.request.computed_length += chunk.length
        if chunk.samples:
            chunk.request.token_ids.append(7)
            if chunk.request.reason_to_finish(len(chunk.request.token_ids) - 1):
                scheduler.finish(chunk.request, FinishReason.LENGTH)


def shape(plan: Plan) -> list[tuple[str, int, int, bool]]:
    return [(c.request.id, c.start, c.length, c.samples) for c in plan.chunks]


class Traffic(RuleBasedStateMachine):
    """Requests come, grow, are aborted in any state, and at last all leave."""

    @initialize(
        num_blocks=st.integers(4, 20),
        block_size=st.integers(1, 5),
        max_running=st.integers(1, 5),
        extra_tokens=st.integers(0, 12),
    )
    def start(self, num_blocks: int, block_size: int, max_running: int, extra_tokens: int) -> None:
        self.limits = Limits(max_running, max_running + extra_tokens)
        self.scheduler = Scheduler(BlockPool(num_blocks, block_size), self.limits)
        self.arrivals: dict[Request, int] = {}

    @property
    def unfinished(self) -> list[Request]:
        return [r for r in self.arrivals if r.state is not RequestState.FINISHED]

    @rule(prompt=st.integers(1, 40), output=st.integers(1, 40), n=st.integers(1, 3))
    def submit(self, prompt: int, output: int, n: int) -> None:
        capacity = self.scheduler.pool.num_blocks * self.scheduler.pool.block_size
        prompt = min(prompt, capacity - 1)
        output = min(output, capacity - prompt)
        for request in make_requests(prompt, output, n, name=str(len(self.arrivals))):
            self.arrivals[request] = len(self.arrivals)
            self.scheduler.submit(request)

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def abort(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.unfinished))
        self.scheduler.finish(request, FinishReason.ABORT)
        assert request.blocks == []

    @rule()
    def step(self) -> None:
        oldest = next(iter(self.unfinished), None)
        plan = self.scheduler.schedule()
        planned = [chunk.request for chunk in plan.chunks]
        assert plan.num_tokens <= self.limits.max_batch_tokens
        assert planned == self.scheduler.running  # nobody who runs is left out
        if oldest is not None:
            assert planned[0] is oldest  # nobody starves: the oldest always advances
        for chunk in plan.chunks:
            end = chunk.start + chunk.length
            assert chunk.length >= 1
            assert chunk.start == chunk.request.computed_length
            assert end <= len(chunk.request.blocks) * self.scheduler.pool.block_size
            assert chunk.samples == (end == len(chunk.request.token_ids))
        self.all_blocks_are_accounted_for()
        complete(self.scheduler, plan)

    @invariant()
    def all_blocks_are_accounted_for(self) -> None:
        pool = self.scheduler.pool
        held = Counter(b for r in self.scheduler.running for b in r.blocks)
        assert all(pool.references(b) == held[b] for b in range(pool.num_blocks))
        assert pool.free_blocks == pool.num_blocks - len(held)
        assert all(not r.blocks and not r.computed_length for r in self.scheduler.waiting)

    @invariant()
    def only_whole_blocks_of_one_prompt_are_shared(self) -> None:
        owners: dict[int, Request] = {}
        for request in self.scheduler.running:
            for place, block in enumerate(request.blocks):
                other = owners.setdefault(block, request)
                if other is not request:
                    end = (place + 1) * self.scheduler.pool.block_size
                    assert other.id == request.id
                    assert other.blocks[place] == block
                    assert end < request.prompt_length

    @invariant()
    def order_of_arrival_is_kept(self) -> None:
        queue = [*self.scheduler.running, *self.scheduler.waiting]
        assert queue == sorted(queue, key=self.arrivals.__getitem__)
        assert queue == self.unfinished
        assert len(self.scheduler.running) <= self.limits.max_running

    def teardown(self) -> None:
        for _ in range(20_000):
            if not self.unfinished:
                break
            self.step()
        assert not self.unfinished
        assert self.scheduler.pool.free_blocks == self.scheduler.pool.num_blocks
        assert not self.scheduler.has_work


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_long_prompt_is_cut_into_chunks_beside_a_decode() -> None:
    scheduler = make_scheduler(max_running=2, max_batch_tokens=6)
    (short,) = make_requests(3, 10, name="short")
    (long,) = make_requests(14, 10, name="long")
    scheduler.submit(short)
    scheduler.submit(long)
    plans = []
    for _ in range(5):
        plan = scheduler.schedule()
        plans.append(shape(plan))
        complete(scheduler, plan)
    assert plans == [
        [("short", 0, 3, True), ("long", 0, 3, False)],
        [("short", 3, 1, True), ("long", 3, 5, False)],
        [("short", 4, 1, True), ("long", 8, 5, False)],
        [("short", 5, 1, True), ("long", 13, 1, True)],
        [("short", 6, 1, True), ("long", 14, 1, True)],
    ]


def test_the_youngest_gives_its_blocks_to_the_oldest_and_recomputes() -> None:
    scheduler = make_scheduler(num_blocks=5, max_running=2)
    (old,) = make_requests(7, 9, name="old")
    (young,) = make_requests(4, 9, name="young")
    for request in (old, young):
        scheduler.submit(request)
    seen = []
    while scheduler.has_work:
        plan = scheduler.schedule()
        seen.append((old.state, young.state, young.computed_length))
        complete(scheduler, plan)
    states = [state for _, state, _ in seen]
    assert RequestState.PREEMPTED in states
    assert all(state is not RequestState.PREEMPTED for state, _, _ in seen)
    assert (RequestState.FINISHED, RequestState.RUNNING, 0) in seen  # from its first token again
    assert (old.output_length, young.output_length) == (9, 9)


@pytest.mark.parametrize(("num_blocks", "admitted"), [(4, 1), (5, 2)])
def test_a_newcomer_leaves_a_free_block_to_who_runs(num_blocks: int, admitted: int) -> None:
    scheduler = make_scheduler(num_blocks=num_blocks, block_size=4, max_batch_tokens=16)
    for name in ("old", "new"):
        scheduler.submit(make_requests(8, 4, name=name)[0])
    assert len(scheduler.schedule().chunks) == admitted


def test_choices_reuse_the_whole_blocks_of_their_prompt() -> None:
    scheduler = make_scheduler(max_batch_tokens=32)
    requests = make_requests(9, 4, n=3)
    for request in requests:
        scheduler.submit(request)
    first = scheduler.schedule()
    assert shape(first) == [("r", 0, 9, True)]
    complete(scheduler, first)
    second = scheduler.schedule()
    assert shape(second) == [("r", 9, 1, True), ("r", 8, 1, True), ("r", 8, 1, True)]
    assert [r.cached_length for r in requests] == [0, 8, 8]
    assert requests[1].blocks[:2] == requests[2].blocks[:2] == requests[0].blocks[:2]
    assert len({r.blocks[2] for r in requests}) == 3


def test_a_prompt_of_whole_blocks_still_computes_its_last_token() -> None:
    scheduler = make_scheduler(max_batch_tokens=32)
    for request in make_requests(8, 4, n=2):
        scheduler.submit(request)
    complete(scheduler, scheduler.schedule())
    assert shape(scheduler.schedule())[1] == ("r", 4, 4, True)


def test_choices_outlive_an_aborted_donor() -> None:
    scheduler = make_scheduler(max_batch_tokens=32)
    donor, heir = make_requests(9, 4, n=2)
    scheduler.submit(donor)
    scheduler.submit(heir)
    complete(scheduler, scheduler.schedule())
    scheduler.schedule()
    shared = donor.blocks[:2]
    scheduler.finish(donor, FinishReason.ABORT)
    assert heir.blocks[:2] == shared
    assert [scheduler.pool.references(block) for block in shared] == [1, 1]


def test_the_same_traffic_gives_the_same_plans() -> None:
    def plans() -> list[object]:
        scheduler = make_scheduler(num_blocks=6, max_running=3, max_batch_tokens=5)
        for number in range(6):
            scheduler.submit(make_requests(3 + number, 5, name=str(number))[0])
        made: list[object] = []
        while scheduler.has_work:
            plan = scheduler.schedule()
            made.append((shape(plan), [list(c.request.blocks) for c in plan.chunks]))
            complete(scheduler, plan)
        return made

    assert plans() == plans()


def test_a_budget_too_small_for_its_decodes_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_batch_tokens 3 is less than max_running 4"):
        Limits(max_running=4, max_batch_tokens=3)
