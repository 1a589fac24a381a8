from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raylm.infer.scheduling.block_pool import BlockPool

NUM_BLOCKS = 12


class Traffic(RuleBasedStateMachine):
    """Owners take, share and give back blocks in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BlockPool(NUM_BLOCKS, block_size=4)
        self.owners: list[list[int]] = []

    @rule(count=st.integers(0, NUM_BLOCKS))
    def allocate(self, count: int) -> None:
        if count > self.pool.free_blocks:
            with pytest.raises(ValueError, match="free"):
                self.pool.allocate(count)
        else:
            self.owners.append(self.pool.allocate(count))

    @precondition(lambda self: self.owners)
    @rule(data=st.data())
    def share(self, data: st.DataObject) -> None:
        blocks = list(data.draw(st.sampled_from(self.owners)))
        self.pool.retain(blocks)
        self.owners.append(blocks)

    @precondition(lambda self: self.owners)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.owners) - 1))
        self.pool.release(self.owners.pop(place))

    @invariant()
    def every_block_is_free_or_counted(self) -> None:
        held = Counter(block for blocks in self.owners for block in blocks)
        assert all(self.pool.references(block) == held[block] for block in range(NUM_BLOCKS))
        assert self.pool.free_blocks == NUM_BLOCKS - len(held)

    def teardown(self) -> None:
        for blocks in self.owners:
            self.pool.release(blocks)
        assert sorted(self.pool.allocate(NUM_BLOCKS)) == list(range(NUM_BLOCKS))


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_block_is_not_released_twice() -> None:
    pool = BlockPool(2, block_size=4)
    blocks = pool.allocate(1)
    pool.release(blocks)
    with pytest.raises(ValueError, match="released twice"):
        pool.release(blocks)


def test_a_free_block_is_not_shared() -> None:
    with pytest.raises(ValueError, match="cannot be shared"):
        BlockPool(2, block_size=4).retain([0])


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_tokens_round_up_to_blocks(tokens: int, blocks: int) -> None:
    assert BlockPool(2, block_size=4).blocks_for(tokens) == blocks
