import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.prefix_cache import Node, PrefixCache
from raylm.infer.scheduling.request import PLACEHOLDER, Request
from tests.infer.dry_run import make_requests, path

NUM_BLOCKS = 12
SIZE = 2


def request(tokens: list[int]) -> Request:
    return make_requests(tokens, 100)[0]


def start(cache: PrefixCache, one: Request) -> bool:
    """False if it has to wait or finds too few blocks."""
    nodes = cache.match(one)
    if nodes is None:
        return False
    missing = cache.pool.blocks_for(len(one.token_ids)) - len(nodes)
    if missing > cache.free_beside(nodes):
        return False
    cache.take(one, nodes)
    one.blocks += cache.allocate(missing)
    return True


def run(cache: PrefixCache, tokens: list[int]) -> Request:
    one = request(tokens)
    assert start(cache, one)
    one.computed_length = len(tokens)
    cache.release(one)
    return one


def paths(cache: PrefixCache) -> set[tuple[int, ...]]:
    return {tuple(path(node)) for node in cache.nodes()}


class Sharing(RuleBasedStateMachine):
    """Requests take, compute and return blocks; what is evicted is the least recently used."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
        self.active: list[Request] = []

    @rule(tokens=st.lists(st.integers(0, 1), min_size=1, max_size=10))
    def begin(self, tokens: list[int]) -> None:
        one = request(tokens)
        nodes = self.cache.match(one)
        if nodes is None:
            assert self._is_being_computed(tokens)
            return
        cached = paths(self.cache)
        assert [path(node) for node in nodes] == [
            tokens[: (place + 1) * SIZE] for place in range(len(nodes))
        ]
        longest = (len(nodes) + 1) * SIZE
        assert longest > len(tokens) - 1 or tuple(tokens[:longest]) not in cached
        missing = self.cache.pool.blocks_for(len(tokens)) - len(nodes)
        if missing > self.cache.free_beside(nodes):
            with pytest.raises(ValueError, match="free"):
                self.cache.allocate(NUM_BLOCKS + 1)
            assert paths(self.cache) == cached
            return
        self.cache.take(one, nodes)
        survivors = self._survivors(missing)
        one.blocks += self.cache.allocate(missing)
        assert set(self.cache.nodes()) == survivors
        self.active.append(one)

    @precondition(lambda self: self.active)
    @rule(data=st.data(), length=st.integers(1, 5))
    def compute(self, data: st.DataObject, length: int) -> None:
        one = data.draw(st.sampled_from(self.active))
        one.computed_length = min(len(one.token_ids), one.computed_length + length)
        self.cache.publish()

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        one = self.active.pop(data.draw(st.integers(0, len(self.active) - 1)))
        whole = one.computed_length // SIZE * SIZE
        self.cache.release(one)
        assert whole == 0 or tuple(one.token_ids[:whole]) in paths(self.cache)

    def _survivors(self, count: int) -> set[Node]:
        pool = self.cache.pool
        left = set(self.cache.nodes())
        for _ in range(count - pool.free_blocks):
            leaves = [
                node
                for node in left
                if pool.references(node.block) == 1 and not left & set(node.children.values())
            ]
            left.remove(min(leaves, key=lambda node: (node.used, node.number)))
        return left

    def _is_being_computed(self, tokens: list[int]) -> bool:
        return any(
            one.token_ids[:SIZE] == tokens[:SIZE] and one.computed_length < one.prompt_length
            for one in self.active
        )

    @invariant()
    def every_idle_block_can_be_had(self) -> None:
        held = {block for one in self.active for block in one.blocks}
        assert self.cache.free_blocks == NUM_BLOCKS - len(held)

    def teardown(self) -> None:
        for one in self.active:
            self.cache.release(one)
        assert sorted(self.cache.allocate(NUM_BLOCKS)) == list(range(NUM_BLOCKS))
        assert paths(self.cache) == set()


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_only_whole_computed_known_blocks_are_kept() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    one = request([1, 2, 3, 4, 5, 6, PLACEHOLDER, PLACEHOLDER])
    assert start(cache, one)
    one.computed_length = 8
    cache.release(one)
    two = request([1, 2, 7, 8, 9])
    assert start(cache, two)
    two.computed_length = 3
    cache.release(two)
    assert paths(cache) == {(1, 2), (1, 2, 3, 4), (1, 2, 3, 4, 5, 6)}


def test_equal_blocks_after_different_beginnings_are_not_confused() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    run(cache, [1, 1, 2, 2])
    assert cache.match(request([2, 2, 3])) == []
    assert cache.match(request([2, 2, 1, 1, 0])) == []


def test_two_that_computed_the_same_keep_one_of_both() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    one, two = request([1, 1, 2, 2]), request([1, 1, 2, 2])
    assert start(cache, one)
    one.computed_length = 2
    cache.publish()
    assert cache.match(two) != []  # its last block it computes itself, as its logits are needed
    assert start(cache, two)
    one.computed_length = two.computed_length = 4
    cache.publish()
    held = list(two.blocks)
    cache.publish()
    assert two.blocks == held  # blocks in use are never exchanged
    cache.release(two)
    cache.release(one)
    assert paths(cache) == {(1, 1), (1, 1, 2, 2)}
    assert cache.pool.free_blocks == NUM_BLOCKS - 2


def test_a_higher_priority_does_not_wait_for_a_lower_one() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    low, equal, high = (request([1, 1, 2, 2, 3]) for _ in range(3))
    high.priority = 1
    assert start(cache, low)
    assert cache.match(equal) is None
    assert start(cache, high)
    cache.publish()
    assert cache.match(equal) is None
    high.computed_length = 4
    cache.publish()
    cache.release(high)
    low.computed_length = 4
    cache.publish()
    cache.release(low)
    assert cache.free_blocks == NUM_BLOCKS
    assert paths(cache) == {(1, 1), (1, 1, 2, 2)}


def test_who_gives_up_a_block_that_a_higher_one_computes_leaves_the_promise_standing() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    low, high, other = (request([1, 1, 2, 2, 3]) for _ in range(3))
    high.priority = 1
    assert start(cache, low)
    assert start(cache, high)
    cache.release(low)
    assert cache.match(other) is None
    cache.release(high)
    assert cache.match(other) == []


def test_who_stops_computing_lets_the_next_one_begin() -> None:
    cache = PrefixCache(BlockPool(NUM_BLOCKS, SIZE))
    one, two = request([1, 1, 2, 2, 3]), request([1, 1, 2, 2, 4])
    assert start(cache, one)
    assert cache.match(two) is None
    cache.release(one)
    assert cache.match(two) == []
