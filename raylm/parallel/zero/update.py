"""One flat buffer's update: what the optimizer sees of it, and how the result gets back.

The optimizer steps on pieces, the parts of single parameters that this rank owns, so that one
that received no gradient is left alone as in plain PyTorch. Below float32 the pieces are views
of a float32 master copy; those of an optimizer that needs whole matrices are at their owner.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from raylm.collectives.communicator import Communicator
from raylm.collectives.transport import accumulator
from raylm.core.partition import Piece
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.gradients import Gradients
from raylm.parallel.zero.ownership import Ownership


class FlatUpdate:
    """`shares[name]` is the leaf tensor this rank updates of a parameter, if any; `pieces[name]`
    says where it lies (of a whole matrix: everywhere)."""

    def __init__(
        self,
        flat: Flat,
        gradients: Gradients,
        owners: Mapping[str, int],
        communicator: Communicator,
    ) -> None:
        self.flat, self.gradients = flat, gradients
        self.dtype = accumulator(flat.dtype)
        self.ownership = Ownership(flat, owners, communicator) if owners else None
        initial = flat.initial()
        self.master = None if flat.dtype == self.dtype else initial.to(self.dtype)
        values = flat.owned if self.master is None else self.master
        self.pieces: dict[str, Piece] = {}
        self.shares: dict[str, Tensor] = {}
        shapes = {span.name: span.shape for span in flat.layout.spans}
        for piece in flat.pieces:
            if piece.name not in owners:
                is_all = piece.numel == torch.Size(shapes[piece.name]).numel()
                share = values[piece.place]
                self._add(piece, share.view(shapes[piece.name]) if is_all else share)
        if self.ownership is not None:
            for name, whole in self.ownership.collect(initial.to(self.dtype)).items():
                self._add(Piece(name, range(whole.numel()), 0), whole)
        self.whole_names = frozenset(owners)

    @property
    def held_bytes(self) -> int:
        wholes = sum(whole.nbytes for whole in self._wholes().values())
        return wholes + (0 if self.master is None else self.master.nbytes)

    def prepare(self, scale: float, used: Collection[str]) -> None:
        """Give each share its gradient times `scale`, or none where the parameter had none."""
        gradient = self.gradients.owned
        if gradient.dtype != self.dtype:
            gradient = gradient.to(self.dtype)
        if scale != 1.0:
            gradient.mul_(scale)
        wholes = self.ownership.collect(gradient) if self.ownership is not None else {}
        for name, share in self.shares.items():
            if name not in used:
                share.grad = None
            elif name in wholes:
                share.grad = wholes[name]
            else:
                share.grad = gradient[self.pieces[name].place].view_as(share)

    @torch.no_grad()
    def finish(self) -> None:
        """Bring the updated values to where the model and the other ranks read them."""
        for share in self.shares.values():
            share.grad = None
        if self.master is not None:
            self.flat.owned.copy_(self.master)
        if self.ownership is not None:
            self.ownership.distribute(self._wholes(), self.flat.owned)

    def own_values(self) -> Tensor:
        """This rank's shard at full precision, but for whole matrices: live memory."""
        if self.master is None:
            return self.flat.shard
        own = self.flat.shard_range
        return self.master[own.start : own.stop] if self.flat.is_replicated else self.master

    @torch.no_grad()
    def precise_shard(self) -> Tensor:
        """This rank's shard at full precision, a copy. Every rank has to call it."""
        shard = self.own_values().to(self.dtype, copy=True)
        if self.ownership is not None:
            self.ownership.distribute(self._wholes(), shard)
        return shard

    @torch.no_grad()
    def set_owned(self, name: str, values: Tensor) -> None:
        """Replace a parameter (whole, flat, on every rank) in what this rank updates of it."""
        if name in self.shares:
            within = self.pieces[name].within
            self.shares[name].view(-1).copy_(values[within.start : within.stop])

    def _wholes(self) -> dict[str, Tensor]:
        return {n: share.detach() for n, share in self.shares.items() if n in self.whole_names}

    def _add(self, piece: Piece, share: Tensor) -> None:
        self.pieces[piece.name] = piece
        self.shares[piece.name] = share.detach().requires_grad_()
