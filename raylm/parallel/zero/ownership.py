"""Whole matrices for optimizers whose update is not elementwise: each has one owning rank.

The flat layout stays as it is. The owner collects a matrix's gradient from the shards it
lies in, updates the matrix, and hands the parts back: 2 Psi (N - 1) / N^2 elements a step more
per rank than an elementwise update sends.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from raylm.collectives.communicator import Communicator
from raylm.core.partition import Piece
from raylm.parallel.zero.flat import Flat


class Ownership:
    """Of one flat's parameters; `owners` names the rank of each one that has an owner."""

    def __init__(self, flat: Flat, owners: Mapping[str, int], communicator: Communicator) -> None:
        self._flat, self._communicator = flat, communicator
        self._shapes = {span.name: span.shape for span in flat.layout.spans}
        world = range(communicator.world_size)
        held = [[p for p in flat.layout.pieces(r) if p.name in owners] for r in world]
        me = communicator.rank
        self._mine = [name for name, owner in owners.items() if owner == me]
        self._outgoing = [[p for p in held[me] if owners[p.name] == r] for r in world]
        self._incoming = [[p for p in held[r] if owners[p.name] == me] for r in world]

    def collect(self, shard: Tensor) -> dict[str, Tensor]:
        """Each rank gives its shard; the owned parameters' whole values, in their shapes."""
        parts = [_join(shard, [shard[p.place] for p in pieces]) for pieces in self._outgoing]
        received = self._exchange(parts, self._incoming)
        whole = {n: shard.new_empty(_numel(self._shapes[n])) for n in self._mine}
        for values, pieces in zip(received, self._incoming, strict=True):
            for piece, part in zip(pieces, _split(values, pieces), strict=True):
                whole[piece.name][piece.within.start : piece.within.stop] = part
        return {name: values.view(self._shapes[name]) for name, values in whole.items()}

    def distribute(self, whole: Mapping[str, Tensor], shard: Tensor) -> None:
        """The reverse: each owner gives its whole values, each rank's shard gets its parts."""
        flat = {name: values.reshape(-1) for name, values in whole.items()}
        parts = [
            _join(
                shard,
                [flat[p.name][p.within.start : p.within.stop].to(shard.dtype) for p in pieces],
            )
            for pieces in self._incoming
        ]
        for values, pieces in zip(
            self._exchange(parts, self._outgoing), self._outgoing, strict=True
        ):
            for piece, part in zip(pieces, _split(values, pieces), strict=True):
                shard[piece.place] = part

    def _exchange(self, parts: list[Tensor], expected: list[list[Piece]]) -> list[Tensor]:
        counts = [sum(piece.numel for piece in pieces) for pieces in expected]
        return self._communicator.exchange(parts, counts, self._flat.label)


def _join(like: Tensor, parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if parts else like.new_empty(0)


def _split(values: Tensor, pieces: list[Piece]) -> list[Tensor]:
    return list(torch.split(values, [piece.numel for piece in pieces])) if pieces else []


def _numel(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()
