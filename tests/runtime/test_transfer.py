import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import StateLostError
from raylm.runtime.slot import Entry
from raylm.runtime.transfer import Holding, Moment, even_share, missing, newest_common, plan

LENGTHS = {"weight": 23, "bias": 3, "step": 1}


def held_by(old_world, step=7, epoch=0, replicated=("step",)):
    """The state of every rank of a world whose arrays were cut evenly."""
    holdings = []
    for rank in range(old_world):
        share = even_share(LENGTHS, rank, old_world)
        share |= {name: range(LENGTHS[name]) for name in replicated}
        entries = {
            name: Entry(part.start, LENGTHS[name], len(part), "float32", 0, False)
            for name, part in share.items()
        }
        holdings.append(Holding(epoch, old_world, rank, step, entries))
    return holdings


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_every_wanted_element_is_read_once_from_who_holds_it(old_world, new_world, data):
    states = held_by(old_world)
    readable = [[] for _ in range(new_world)]
    for state in states:
        readers = data.draw(st.sets(st.integers(0, new_world - 1), min_size=1))
        for reader in readers:
            readable[reader].append(state)
    wants = [even_share(LENGTHS, rank, new_world) for rank in range(new_world)]
    filled = {(rank, name): [] for rank in range(new_world) for name in LENGTHS}
    for read in plan(readable, wants, Moment(7, 0)):
        held = states[read.owner].entries[read.name].interval[read.copy.read]
        wanted = wants[read.wanter][read.name][read.copy.write]
        assert list(held) == list(wanted)
        assert states[read.owner] in readable[read.reader]
        can_read_itself = states[read.owner] in readable[read.wanter]
        assert can_read_itself == (read.reader == read.wanter)
        filled[read.wanter, read.name] += wanted
    for (rank, name), elements in filled.items():
        assert elements == list(wants[rank][name])


def test_what_nobody_holds_is_named():
    first, _second, third = held_by(3)
    wants = [even_share(LENGTHS, 0, 1)]
    with pytest.raises(StateLostError, match=r"'weight' of step 7: element 7 is stored nowhere"):
        plan([[first, third]], wants, Moment(7, 0))


def test_the_newest_step_of_which_all_state_is_readable_counts():
    old, new = held_by(3, step=7), held_by(3, step=8)
    assert newest_common([[*old, *new]]) == Moment(8, 0)
    assert newest_common([[*old, new[0]], [new[1]]]) == Moment(7, 0)
    assert newest_common([[*old, new[0]], [new[1]], [new[2]]]) == Moment(8, 0)
    assert newest_common([[old[0], new[1]], [old[2]]]) is None
    assert missing([[old[0], new[1]], []]) == [2]


def test_epochs_are_not_mixed():
    """A rank that has gone on already, and one that died in between."""
    before, after = held_by(3, step=7), held_by(2, step=7, epoch=1)
    assert newest_common([before, [after[0]]]) == Moment(7, 0)
    assert newest_common([before, after]) == Moment(7, 1)
    assert newest_common([before[:2], [after[0]]]) is None
    assert newest_common([[*held_by(3, step=8)], after]) == Moment(8, 0)


@given(st.integers(0, 100), st.integers(1, 9))
def test_even_shares_cover_everything_once(length, world_size):
    parts = [even_share({"w": length}, rank, world_size)["w"] for rank in range(world_size)]
    assert [i for part in parts for i in part] == list(range(length))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
