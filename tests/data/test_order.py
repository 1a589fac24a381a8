import itertools

from hypothesis import given
from hypothesis import strategies as st

from raylm.data.order import SampleOrder, shard


@given(st.integers(1, 500), st.integers(0, 2**63 - 1), st.integers(0, 3))
def test_every_sequence_comes_once_in_each_pass(size, seed, which):
    order = SampleOrder(size, seed)
    drawn = [order[which * size + place] for place in range(size)]
    assert sorted(drawn) == list(range(size))


def test_passes_and_seeds_differ_and_repeat_exactly():
    def draw(seed, which):
        order = SampleOrder(1000, seed)
        return [order[which * 1000 + place] for place in range(1000)]

    assert draw(1, 0) == draw(1, 0)
    assert draw(1, 0) != draw(1, 1)
    assert draw(1, 0) != draw(2, 0)


def test_the_order_is_well_mixed():
    """Neighbours land far apart (a third of the range in a random order) and no position is
    favoured over many passes."""
    size = 1000
    order = SampleOrder(size, 7)
    drawn = [order[i] for i in range(size)]
    jumps = [abs(a - b) for a, b in itertools.pairwise(drawn)]
    assert 0.30 < sum(jumps) / len(jumps) / size < 0.37
    firsts = [order[which * size] for which in range(400)]
    assert 0.45 < sum(firsts) / len(firsts) / size < 0.55


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(0, 40))
def test_the_ranks_share_a_batch_exactly_once(first, world_size, total):
    samples = range(first, first + total)
    shares = [shard(samples, rank, world_size) for rank in range(world_size)]
    assert [sample for share in shares for sample in share] == list(samples)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
