"""The order in which samples are drawn: a pure function of the global sample index and a seed.

Sample index i belongs to pass i // size, and each pass has a permutation of its own: a
Feistel network walked until it lands inside the range (Black and Rogaway, 2002). It is
computed, never stored, so that any rank of any world finds its samples in O(1).
"""

from dataclasses import dataclass, field

from raylm.core.seeding import derive_seed

_ROUNDS = 4
_MASK64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class SampleOrder:
    """Every number below `size` comes once in each pass."""

    size: int
    seed: int
    _half_bits: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_half_bits", max(1, -(-(self.size - 1).bit_length() // 2)))

    def __getitem__(self, sample: int) -> int:
        """The sequence that global sample number `sample` uses."""
        which, place = divmod(sample, self.size)
        key = derive_seed(self.seed, "pass", which)
        place = self._permute(place, key)
        while place >= self.size:  # the network permutes a power of 4, at most 4 x size
            place = self._permute(place, key)
        return place

    def _permute(self, place: int, key: int) -> int:
        mask = (1 << self._half_bits) - 1
        left, right = place >> self._half_bits, place & mask
        for turn in range(_ROUNDS):
            left, right = right, left ^ (_mix(key + turn * 0x9E3779B97F4A7C15 + right) & mask)
        return (left << self._half_bits) | right


def shard(samples: range, rank: int, world_size: int) -> range:
    """Rank's part of a global batch: contiguous, disjoint, as equal as it goes."""
    total = len(samples)
    return samples[total * rank // world_size : total * (rank + 1) // world_size]


def _mix(value: int) -> int:
    """splitmix64's finaliser: every output bit depends on every input bit."""
    value &= _MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)
