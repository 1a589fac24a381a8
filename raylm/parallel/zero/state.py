"""The training state as intervals of flattened tensors, for saving and loading at any layout.

Each element of a parameter and of its optimizer state comes from one rank. Kinds: `param` (at
full precision), `grad` (in the middle of an accumulation), and the optimizer's own names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from raylm.core.errors import CheckpointError
from raylm.parallel.zero.optimizer import ShardedOptimizer
from raylm.parallel.zero.sharding import Sharding
from raylm.parallel.zero.update import FlatUpdate

PARAM, GRAD = "param", "grad"
_NUMBER = "number."  # prefix of a kind that is a Python number, not a tensor


@dataclass(frozen=True, slots=True)
class StatePart:
    """Elements from `start` on of the tensor `kind` of the parameter `name`; 1-D, live memory.

    `shape` is the whole tensor's.
    """

    kind: str
    name: str
    start: int
    values: Tensor
    shape: tuple[int, ...]


class StateSource(Protocol):
    """Where saved state is read from, an interval at a time."""

    def names(self, kind: str) -> list[str]: ...

    def kinds(self, name: str) -> list[str]: ...

    def shape(self, kind: str, name: str) -> tuple[int, ...]: ...

    def check_shape(self, kind: str, name: str, shape: tuple[int, ...]) -> None: ...

    def read_into(self, kind: str, name: str, wanted: range, target: Tensor) -> None: ...

    def read(self, kind: str, name: str) -> Tensor: ...


def parameter_parts(sharding: Sharding, optimizer: ShardedOptimizer) -> Iterator[StatePart]:
    updates = {update.flat: update for update in optimizer.updates}
    for flat in sharding.flats:
        update = updates.get(flat)
        wholes = update.whole_names if update is not None else frozenset()
        values = flat.shard if update is None else update.own_values()
        shapes = {span.name: span.shape for span in flat.layout.spans}
        if sharding.communicator.rank == 0:
            for name in (span.name for span in flat.layout.spans if not span.numel):
                yield StatePart(PARAM, name, 0, values[:0], shapes[name])
        for piece in flat.layout.pieces(sharding.communicator.rank):
            if piece.name not in wholes:
                part = values[piece.place]
                yield StatePart(PARAM, piece.name, piece.within.start, part, shapes[piece.name])
        if update is not None:
            for name in wholes & update.shares.keys():
                yield StatePart(PARAM, name, 0, update.shares[name].detach().view(-1), shapes[name])


def optimizer_parts(sharding: Sharding, optimizer: ShardedOptimizer) -> Iterator[StatePart]:
    rank = sharding.communicator.rank
    for update in optimizer.updates:
        own = {piece.name: piece.within for piece in update.flat.layout.pieces(rank)}
        shapes = {span.name: span.shape for span in update.flat.layout.spans}
        for name, share in update.shares.items():
            within = update.pieces[name].within
            saved = within if name in update.whole_names else own.get(name, range(0))
            for kind, value in optimizer.state(name, share).items():
                if is_interval(value, share):
                    start = saved.start - within.start
                    part = value.reshape(-1)[start : start + len(saved)]
                    if len(saved):
                        yield StatePart(kind, name, saved.start, part, shapes[name])
                elif saved.start == 0 and len(saved):
                    yield _whole(kind, name, value)


def gradient_parts(sharding: Sharding) -> Iterator[StatePart]:
    """Of gradients that are summed over the ranks already."""
    rank = sharding.communicator.rank
    for part in sharding.gradients:
        shapes = {span.name: span.shape for span in part.flat.layout.spans}
        for piece in part.flat.layout.pieces(rank):
            values = part.shard[piece.place]
            yield StatePart(GRAD, piece.name, piece.within.start, values, shapes[piece.name])


def intervals(sharding: Sharding, optimizer: ShardedOptimizer) -> Iterator[tuple[str, range]]:
    """Parameters, and of each the elements, whose values and optimizer state this rank loads."""
    updates = {update.flat: update for update in optimizer.updates}
    for flat in sharding.flats:
        if flat in updates:
            for name in updates[flat].shares:
                yield name, updates[flat].pieces[name].within
        else:
            for piece in flat.pieces:
                yield piece.name, piece.within


@torch.no_grad()
def load_parameters(sharding: Sharding, optimizer: ShardedOptimizer, source: StateSource) -> None:
    """Raises CheckpointError where the source is of another model. Every rank calls this."""
    _require_same_names(sharding, source)
    updates = {update.flat: update for update in optimizer.updates}
    for flat in sharding.flats:
        for span in flat.layout.spans:
            source.check_shape(PARAM, span.name, span.shape)
        if flat in updates:
            for name, share in updates[flat].shares.items():
                target = share.detach().view(-1)
                source.read_into(PARAM, name, updates[flat].pieces[name].within, target)
            updates[flat].finish()
        else:
            for piece in flat.pieces:
                source.read_into(PARAM, piece.name, piece.within, flat.owned[piece.place])
    sharding.publish(everything=True)
    sharding.settle()


@torch.no_grad()
def load_optimizer(optimizer: ShardedOptimizer, source: StateSource) -> None:
    for update, name, share in optimizer.items():
        shapes = {span.name: span.shape for span in update.flat.layout.spans}
        within = update.pieces[name].within
        state: dict[str, Any] = {}
        for kind in source.kinds(name):
            if kind in (PARAM, GRAD):
                continue
            shape = source.shape(kind, name)
            if shape == shapes[name] and shape:
                state[kind] = torch.zeros_like(share)
                source.read_into(kind, name, within, state[kind].view(-1))
            elif kind.startswith(_NUMBER):
                state[kind.removeprefix(_NUMBER)] = source.read(kind, name).item()
            else:
                state[kind] = optimizer.place_state(name, kind, source.read(kind, name), share)
        if state:
            optimizer.set_state(name, share, state)


@torch.no_grad()
def load_gradients(sharding: Sharding, source: StateSource, used: frozenset[str]) -> None:
    for part in sharding.gradients:
        shard = torch.zeros_like(part.shard)
        for piece in part.flat.layout.pieces(sharding.communicator.rank):
            source.read_into(GRAD, piece.name, piece.within, shard[piece.place])
        part.restore(shard, [name in used for name in part.flat.parameters])


def is_interval(value: Any, share: Tensor) -> bool:
    """Whether a state tensor has an element for each of the share's."""
    return isinstance(value, Tensor) and value.ndim > 0 and value.shape == share.shape


def held_part(update: FlatUpdate, name: str, value: Tensor) -> Tensor:
    """An interval of state as zeros of the whole parameter's size around it, flattened."""
    span = next(span for span in update.flat.layout.spans if span.name == name)
    whole = torch.zeros(span.numel, dtype=value.dtype, device=value.device)
    within = update.pieces[name].within
    whole[within.start : within.stop] = value.reshape(-1)
    return whole


def _whole(kind: str, name: str, value: Any) -> StatePart:
    if isinstance(value, Tensor):
        return StatePart(kind, name, 0, value.reshape(-1), tuple(value.shape))
    number = torch.tensor([value], dtype=torch.float64 if isinstance(value, float) else torch.int64)
    return StatePart(_NUMBER + kind, name, 0, number, ())


def _require_same_names(sharding: Sharding, source: StateSource) -> None:
    own = {span.name for flat in sharding.flats for span in flat.layout.spans}
    for name in sorted(own ^ set(source.names(PARAM))):
        fault = "is missing from the checkpoint" if name in own else "is not in the model"
        raise CheckpointError(f"the parameter {name!r} {fault}")
