import pytest
import torch

from raylm.runtime.slot import Entry, Slot, size_bytes

SNAPSHOT = {
    "param/weight": (6, 20, torch.arange(7.0)),
    "exp_avg/weight": (6, 20, torch.arange(7).bfloat16()),
    "empty": (0, 0, torch.empty(0)),
    "rng": (0, 5, torch.arange(5, dtype=torch.uint8)),
}


def slot_for(snapshot):
    return Slot(torch.zeros(size_bytes(snapshot), dtype=torch.uint8))


def test_what_was_written_is_read_by_whoever_has_the_memory():
    slot = slot_for(SNAPSHOT)
    assert slot.step is None
    slot.write(0, SNAPSHOT)
    other = Slot(slot.memory)
    assert other.step == 0
    assert list(other.contents()) == list(SNAPSHOT)
    for name, (start, length, values) in SNAPSHOT.items():
        entry = other.contents()[name]
        assert (entry.start, entry.length, entry.numel) == (start, length, values.numel())
        assert entry.interval == range(start, start + values.numel())
        assert other.read(name).dtype == values.dtype
        assert torch.equal(other.read(name), values)


def test_a_slot_is_written_again_and_every_reader_sees_it():
    slot = slot_for(SNAPSHOT)
    other = Slot(slot.memory)
    slot.write(3, SNAPSHOT)
    assert other.read("rng")[0] == 0
    changed = {"rng": (0, 5, torch.arange(5, dtype=torch.uint8) + 1)}
    slot.write(4, changed)
    assert other.step == 4
    assert list(other.contents()) == ["rng"]
    assert torch.equal(other.read("rng"), changed["rng"][2])


def test_a_write_that_is_cut_short_leaves_nothing_that_looks_whole():
    slot = slot_for(SNAPSHOT)
    slot.write(1, SNAPSHOT)
    broken = {**SNAPSHOT, "param/weight": (6, 20, _Explosive(torch.arange(7.0)))}
    with pytest.raises(OSError, match="cut short"):
        slot.write(2, broken)
    assert slot.step is None


class _Explosive:
    """A tensor whose copying fails."""

    def __init__(self, tensor):
        self.nbytes, self.dtype, self._tensor = tensor.nbytes, tensor.dtype, tensor

    def numel(self):
        return self._tensor.numel()

    def detach(self):
        raise OSError("cut short")


def test_values_are_aligned():
    slot = slot_for(SNAPSHOT)
    slot.write(0, SNAPSHOT)
    assert all(entry.offset % 64 == 0 for entry in slot.contents().values())


def test_entries_know_their_interval():
    assert Entry(4, 10, 3, "float32", 64, False).interval == range(4, 7)
