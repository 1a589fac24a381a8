import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from raylm.core.errors import ConfigError
from raylm.train.deepspeed.batch import ACCUMULATION, MICRO, TOTAL, read_batch
from raylm.train.deepspeed.section import Section


def read(total=None, micro=None, accumulation=None, world_size=2):
    tree = {TOTAL: total, MICRO: micro, ACCUMULATION: accumulation}
    batch = read_batch(Section(tree), world_size)
    return batch.global_, batch.micro, batch.accumulation(world_size)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((32, 4, 4), (32, 4, 4)),
        ((32, 4, None), (32, 4, 4)),
        ((32, None, 4), (32, 4, 4)),
        ((None, 4, 4), (32, 4, 4)),
        ((32, None, None), (32, 16, 1)),
        ((None, 4, None), (8, 4, 1)),
        ((32, "auto", "auto"), (32, 16, 1)),
        (("auto", 4, "auto"), (8, 4, 1)),
        (("auto", "auto", 4), (64, 8, 4)),
        (("auto", None, None), (16, 8, 1)),
        ((None, "auto", None), (16, 8, 1)),
        (("auto", "auto", "auto"), (16, 8, 1)),
        ((32.0, 4.0, None), (32, 4, 4)),
    ],
)
def test_the_truth_table(given_, expected):
    assert read(*given_) == expected


@pytest.mark.parametrize("given_", [(None, None, None), (None, None, 4), (None, None, "auto")])
def test_without_a_batch_there_is_nothing_to_derive(given_):
    with pytest.raises(ConfigError, match=f"neither {TOTAL} nor {MICRO} is given"):
        read(*given_)


@pytest.mark.parametrize(
    ("given_", "arithmetic"),
    [
        ((32, 4, 3), f"{TOTAL} 32 != {MICRO} 4 x {ACCUMULATION} 3 x world size 2 = 24"),
        ((30, 4, None), f"{TOTAL} 30 is not a multiple of {MICRO} 4 x world size 2 = 8"),
        ((4, 4, None), f"{TOTAL} 4 is not a multiple of {MICRO} 4 x world size 2 = 8"),
        ((30, None, 4), f"{TOTAL} 30 is not a multiple of {ACCUMULATION} 4 x world size 2 = 8"),
        ((5, None, None), f"{TOTAL} 5 is not a multiple of {ACCUMULATION} 1 x world size 2 = 2"),
    ],
)
def test_a_contradiction_shows_the_arithmetic(given_, arithmetic):
    with pytest.raises(ConfigError) as caught:
        read(*given_)
    assert str(caught.value).startswith(arithmetic)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [0, -1, 1.5, "32", True])
def test_a_size_is_a_positive_integer(place, value):
    triple = [32, 4, 4]
    triple[place] = value
    with pytest.raises(ConfigError, match="expected an integer >= 1"):
        read(*triple)


sizes = st.integers(1, 64)


@given(sizes, sizes, sizes, st.sampled_from([None, "auto"]))
def test_a_consistent_triple_is_the_same_whichever_is_left_out(micro, accumulation, world, gap):
    whole = [micro * accumulation * world, micro, accumulation]
    for place in range(3):
        partial = [gap if place == i else value for i, value in enumerate(whole)]
        assert read(*partial, world_size=world) == tuple(whole)


@given(sizes, sizes, sizes, st.integers(1, 10_000))
def test_a_wrong_total_never_passes(micro, accumulation, world, total):
    assume(total != micro * accumulation * world)
    with pytest.raises(ConfigError, match="!="):
        read(total, micro, accumulation, world_size=world)
