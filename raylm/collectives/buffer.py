"""Memory that collectives work on, and, where ranks share a host, the peers' counterparts."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Buffer:
    """`local` is this rank's 1-D memory; `peers[r]` is rank r's of the same size.

    `peers` is empty where nobody can read another's memory and data has to be sent.
    """

    local: Tensor
    peers: tuple[Tensor, ...] = ()

    def __getitem__(self, place: slice) -> Self:
        """The same elements of every rank's memory."""
        return type(self)(self.local[place], tuple(peer[place] for peer in self.peers))

    def shards(self, rank: int, world_size: int) -> Self:
        """Of a whole buffer in equal shards, the one that each rank owns: rank r's r-th."""
        size = self.local.numel() // world_size
        places = [slice(r * size, (r + 1) * size) for r in range(world_size)]
        peers = tuple(peer[place] for peer, place in zip(self.peers, places, strict=False))
        return type(self)(self.local[places[rank]], peers)
