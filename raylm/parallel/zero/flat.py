"""The parameters of one unit and dtype in one flat buffer, and this rank's shard of it."""

from collections.abc import Mapping
from enum import Enum

import torch
from torch import Tensor, nn

from raylm.collectives.buffer import Buffer
from raylm.collectives.communicator import Communicator
from raylm.collectives.queue import Handle
from raylm.core.partition import FlatLayout, Piece
from raylm.parallel.zero.released import hide, show


class Presence(Enum):
    """Whether the whole buffer is here: RELEASED -> GATHERING -> GATHERED -> RELEASED.

    One that always stays whole goes GATHERED -> GATHERING -> GATHERED with each update.
    """

    RELEASED = 0
    GATHERING = 1
    GATHERED = 2


class Flat:
    """`owned` is what this rank updates and `pieces` say which parameters lie in it.

    `is_whole`: the buffer stays (stages 0 to 2); otherwise its memory comes and goes, and the
    parameters, views of it, keep their identity. `is_replicated`: every rank updates all of it
    (stage 0).
    """

    def __init__(
        self,
        label: str,
        parameters: Mapping[str, nn.Parameter],
        communicator: Communicator,
        *,
        is_whole: bool,
        is_replicated: bool,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.label = label
        self.parameters = dict(parameters)
        self.is_whole = is_whole
        self.is_replicated = is_replicated
        self.is_trainable = next(iter(parameters.values())).requires_grad
        self.dtype = dtype
        shapes = {name: tuple(p.shape) for name, p in parameters.items()}
        self.layout = FlatLayout.of(shapes, communicator.world_size)
        self.shard_range = self.layout.shard(communicator.rank)
        self._communicator = communicator
        self._handle: Handle | None = None
        self._initial: Tensor | None = None
        self.presence = Presence.GATHERED
        self.source: Buffer
        if is_whole:
            buffer = communicator.allocate(self.layout.padded, dtype, device)
            self.full = buffer.local
            self.source = buffer.shards(communicator.rank, communicator.world_size)
        else:
            self.full = torch.zeros(self.layout.padded, dtype=dtype, device=device)
            self.source = communicator.allocate(self.layout.shard_numel, dtype, device)
        self._absorb()

    @property
    def shard(self) -> Tensor:
        return self.source.local

    @property
    def owned(self) -> Tensor:
        return self.full if self.is_replicated else self.shard

    @property
    def pieces(self) -> list[Piece]:
        if not self.is_replicated:
            return self.layout.pieces(self._communicator.rank)
        return [Piece(s.name, range(s.numel), s.start) for s in self.layout.spans if s.numel]

    @property
    def full_bytes(self) -> int:
        return self.layout.padded * self.dtype.itemsize

    @property
    def held_bytes(self) -> int:
        """Memory that stays for as long as the flat does."""
        return self.full_bytes if self.is_whole else self.shard.nbytes

    def start_gather(self, is_fenced: bool = True) -> None:
        if self.presence is Presence.RELEASED:
            self.full.untyped_storage().resize_(self.full_bytes)
        self._handle = self._communicator.all_gather(
            self.source, self.full, self.label, is_fenced=is_fenced
        )
        self.presence = Presence.GATHERING

    def finish_gather(self) -> None:
        if self._handle is not None:
            self._handle.wait()
            self._handle = None
        if not self.is_whole:
            for parameter in self.parameters.values():
                show(parameter)
        self.presence = Presence.GATHERED

    def release(self) -> None:
        if self.is_whole or self.presence is Presence.RELEASED:
            return
        self.finish_gather()
        self.full.untyped_storage().resize_(0)
        for name, parameter in self.parameters.items():
            hide(name, parameter)
        self.presence = Presence.RELEASED

    @torch.no_grad()
    def write_back(self) -> None:
        """Make a change of the gathered values last: this rank's part goes into its shard."""
        if not self.is_whole:
            self.shard.copy_(self.full[_slice(self.shard_range)])

    def initial(self) -> Tensor:
        """What this rank owns as it was before it was rounded to `dtype`; to be taken once."""
        initial, self._initial = self._initial, None
        return self.owned if initial is None else initial

    @torch.no_grad()
    def _absorb(self) -> None:
        """Take the parameters' values, rank 0's on every rank, and become their memory. Gradients
        that they still have belong to no step of ours."""
        dtype = next(iter(self.parameters.values())).dtype
        origin = self.full if dtype == self.dtype else torch.zeros_like(self.full, dtype=dtype)
        for span in self.layout.spans:
            parameter = self.parameters[span.name]
            origin[span.start : span.start + span.numel] = parameter.flatten()
            parameter.grad = None
            parameter.data = self.full[span.start : span.start + span.numel].view(span.shape)
        self._communicator.broadcast(origin, self.label)
        if origin is not self.full:
            self.full.copy_(origin)
            if self.is_trainable:
                kept = origin if self.is_replicated else origin[_slice(self.shard_range)]
                self._initial = kept.clone()
        self.write_back()
        self.release()


def _slice(place: range) -> slice:
    return slice(place.start, place.stop)
