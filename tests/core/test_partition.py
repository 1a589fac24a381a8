import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.partition import (
    ALIGNMENT,
    FlatLayout,
    assign_owners,
    buckets,
    cover,
    intersection,
)

worlds = st.integers(1, 9)
shapes = st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=8).map(
    lambda found: {f"p{i}": tuple(shape) for i, shape in enumerate(found)}
)
ranges = st.tuples(st.integers(-20, 60), st.integers(0, 30)).map(lambda r: range(r[0], r[0] + r[1]))


@given(shapes, worlds)
def test_the_pieces_of_all_ranks_hold_each_element_once(shapes, world_size):
    layout = FlatLayout.of(shapes, world_size)
    found = []
    for rank in range(world_size):
        for piece in layout.pieces(rank):
            assert 0 <= piece.place.start < piece.place.stop <= layout.shard_numel
            assert piece.place.stop - piece.place.start == piece.numel
            found += [(piece.name, element) for element in piece.within]
    wanted = [(name, i) for name, shape in shapes.items() for i in range(math.prod(shape))]
    assert found == wanted


@given(shapes, worlds)
def test_a_piece_lies_where_its_span_says(shapes, world_size):
    layout = FlatLayout.of(shapes, world_size)
    spans = {span.name: span for span in layout.spans}
    for rank in range(world_size):
        for piece in layout.pieces(rank):
            in_buffer = layout.shard(rank).start + piece.offset
            assert in_buffer == spans[piece.name].start + piece.within.start


@given(shapes, worlds)
def test_shards_are_equal_and_tile_the_padded_buffer(shapes, world_size):
    layout = FlatLayout.of(shapes, world_size)
    assert layout.numel == sum(math.prod(shape) for shape in shapes.values())
    assert [i for rank in range(world_size) for i in layout.shard(rank)] == [*range(layout.padded)]
    assert 0 <= layout.padded - layout.numel <= ALIGNMENT * world_size


@given(st.integers(0, 10**9), st.integers(2, 9))
def test_shards_begin_on_cache_lines(numel, world_size):
    assert FlatLayout.of({"w": (numel,)}, world_size).shard_numel % ALIGNMENT == 0


@pytest.mark.parametrize(
    ("numel", "world_size", "shard_numel"),
    [(0, 3, 0), (1, 1, 1), (1, 4, 16), (33, 2, 32), (32, 2, 16), (65, 4, 32), (7, 1, 7)],
)
def test_shard_sizes(numel, world_size, shard_numel):
    assert FlatLayout.of({"w": (numel,)}, world_size).shard_numel == shard_numel


def test_a_scalar_has_one_element():
    layout = FlatLayout.of({"s": (), "w": (2, 3)}, 1)
    assert [span.range for span in layout.spans] == [range(1), range(1, 7)]


@given(ranges, ranges)
def test_an_intersection_has_the_common_elements(a, b):
    assert set(intersection(a, b)) == set(a) & set(b)


@given(ranges, ranges)
def test_an_empty_intersection_has_no_negative_length(a, b):
    common = intersection(a, b)
    assert common.stop >= common.start


@given(st.lists(ranges, max_size=8), ranges)
def test_cover_fills_each_element_once_or_names_the_first_missing_one(stored, wanted):
    held = {element for interval in stored for element in interval}
    missing = [element for element in wanted if element not in held]
    if missing:
        with pytest.raises(ValueError, match=rf"^element {missing[0]} is stored nowhere$"):
            cover(stored, wanted)
        return
    filled = []
    for copy in cover(stored, wanted):
        source = stored[copy.source][copy.read]
        assert [*source] == [*wanted[copy.write]]
        assert copy.read.stop <= len(stored[copy.source])
        filled += source
    assert filled == [*wanted]


@given(st.data(), st.integers(1, 100), worlds)
def test_cover_of_what_another_world_stored(data, numel, world_size):
    cuts = sorted(data.draw(st.sets(st.integers(0, numel), max_size=6)) | {0, numel})
    stored = data.draw(st.permutations([range(a, b) for a, b in pairwise(cuts)]))
    wanted = range(data.draw(st.integers(0, numel)), numel)
    filled = [i for copy in cover(stored, wanted) for i in stored[copy.source][copy.read]]
    assert filled == [*wanted]


@given(st.lists(st.integers(0, 1000)), worlds)
def test_owners_are_within_the_largest_item_of_the_mean(sizes, world_size):
    owners = assign_owners(sizes, world_size)
    assert len(owners) == len(sizes)
    assert all(owner in range(world_size) for owner in owners)
    load = [0] * world_size
    for owner, size in zip(owners, sizes, strict=True):
        load[owner] += size
    mean = sum(sizes) / world_size
    assert all(abs(each - mean) <= max(sizes, default=0) for each in load)


def test_the_largest_item_goes_first():
    assert assign_owners([1, 1, 2], 2) == [1, 1, 0]


@given(st.lists(st.integers(0, 50)), st.integers(0, 60))
def test_buckets_keep_the_order_and_the_limit(sizes, limit):
    items = list(enumerate(sizes))
    groups = buckets(((item, item[1]) for item in items), limit)
    assert [item for group in groups for item in group] == items
    for group in groups:
        assert group
        assert sum(size for _, size in group) <= limit or len(group) == 1


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(0, 60))
def test_a_bucket_ends_only_where_the_next_item_does_not_fit(sizes, limit):
    groups = buckets(((size, size) for size in sizes), limit)
    for group, following in pairwise(groups):
        assert sum(group) + following[0] > limit
