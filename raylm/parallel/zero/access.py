"""Whole parameters, gradients and optimizer states by name, wherever their parts lie.

Every rank has to make the same calls. Values are copies, at full precision.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from raylm.core.suggest import did_you_mean
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.optimizer import ShardedOptimizer
from raylm.parallel.zero.sharding import Sharding
from raylm.parallel.zero.state import held_part, is_interval
from raylm.parallel.zero.update import FlatUpdate


class FullAccess:
    def __init__(self, sharding: Sharding, optimizer: ShardedOptimizer) -> None:
        self._sharding, self._optimizer = sharding, optimizer
        self._communicator = sharding.communicator
        self._updates = {update.flat: update for update in optimizer.updates}
        self._homes = {n: flat for flat in sharding.flats for n in flat.parameters}

    def parameters(self) -> Iterator[tuple[str, Tensor]]:
        for flat in self._sharding.flats:
            whole = self._gather(flat, self._precise_shard(flat))
            for span in flat.layout.spans:
                yield span.name, self._cut(flat, span.name, whole)

    def parameter(self, name: str) -> Tensor:
        flat = self._flat(name)
        return self._cut(flat, name, self._gather(flat, self._precise_shard(flat)))

    @torch.no_grad()
    def set_parameter(self, name: str, value: Tensor) -> None:
        """The same `value` on every rank."""
        flat = self._flat(name)
        values = self._checked(flat, name, value)
        self._sharding.settle()
        if flat in self._updates:
            self._updates[flat].set_owned(name, values)
        span = next(span for span in flat.layout.spans if span.name == name)
        if flat.is_whole:
            flat.full[span.start : span.start + span.numel] = values
        else:
            self._sharding.residency.release(flat)
            self._write(flat, name, values, flat.shard)
        self._communicator.fence(f"a new value of {name}").wait()

    def gradient(self, name: str, scale: float) -> Tensor | None:
        """The summed gradient times `scale`; None for a parameter that no rank used."""
        part = self._gradients(name)
        index = list(part.flat.parameters).index(name)
        used = torch.tensor(float(part.used[index]), device=part.shard.device)
        self._communicator.all_reduce(used, f"the use of {name}")
        if not used:
            return None
        whole = self._gather(part.flat, part.shard)
        return self._cut(part.flat, name, whole).to(self._updates[part.flat].dtype) * scale

    @torch.no_grad()
    def set_gradient(self, name: str, value: Tensor, scale: float) -> None:
        part = self._gradients(name)
        values = self._checked(part.flat, name, value) / scale
        part.used[list(part.flat.parameters).index(name)] = True
        if part.flat.is_replicated:
            span = next(span for span in part.flat.layout.spans if span.name == name)
            part.owned[span.start : span.start + span.numel] = values
        else:
            self._write(part.flat, name, values, part.shard)

    def optimizer_states(self, only: str | None = None) -> dict[str, dict[str, Any]]:
        """By parameter and kind; numbers are the optimizer's own."""
        found = self._communicator.gather_objects(self._outline(), "optimizer states")
        kinds: dict[str, dict[str, Any]] = {}
        for outline in found:
            for name, entries in outline.items():
                kinds.setdefault(name, {}).update(entries)
        held = {name: (update, share) for update, name, share in self._optimizer.items()}
        states: dict[str, dict[str, Any]] = {}
        for name in sorted(kinds) if only is None else [n for n in kinds if n == only]:
            states[name] = {
                kind: self._whole_state(name, kind, entry, held.get(name))
                for kind, entry in sorted(kinds[name].items())
            }
        return states

    def optimizer_state(self, name: str, kind: str) -> Any:
        self._flat(name)
        states = self.optimizer_states(only=name)
        if kind not in states.get(name, {}):
            raise KeyError(
                f"no state {kind!r} of {name!r}{did_you_mean(kind, states.get(name, {}))}"
            )
        return states[name][kind]

    @torch.no_grad()
    def set_optimizer_state(self, name: str, kind: str, value: Tensor) -> None:
        """The same `value` on every rank."""
        flat = self._flat(name)
        update = self._updates[flat]
        share = update.shares.get(name)
        if share is None:
            return
        state = self._optimizer.state(name, share)
        within = update.pieces[name].within
        if tuple(value.shape) == tuple(flat.parameters[name].shape) and value.ndim:
            part = value.reshape(-1)[within.start : within.stop].view_as(share)
            state[kind] = part.to(share.dtype, copy=True)
        else:
            state[kind] = self._optimizer.place_state(name, kind, value.clone(), share)
        self._optimizer.set_state(name, share, state)

    def _outline(self) -> dict[str, dict[str, Any]]:
        """What this rank holds: None stands for a tensor with an element per element."""
        outline: dict[str, dict[str, Any]] = {}
        for _, name, share in self._optimizer.items():
            state = self._optimizer.state(name, share)
            outline[name] = {k: None if is_interval(v, share) else v for k, v in state.items()}
        return outline

    def _whole_state(
        self, name: str, kind: str, entry: Any, held: tuple[FlatUpdate, Tensor] | None
    ) -> Any:
        if entry is not None:
            return entry.clone() if isinstance(entry, Tensor) else entry
        flat = self._flat(name)
        update = self._updates[flat]
        shape = tuple(flat.parameters[name].shape)
        if held is not None and flat.is_replicated:
            value: Tensor = self._optimizer.state(name, held[1])[kind]
            return value.clone()
        whole = torch.zeros(torch.Size(shape).numel(), dtype=update.dtype, device=flat.full.device)
        if held is not None:
            whole = held_part(update, name, self._optimizer.state(name, held[1])[kind])
        self._communicator.all_reduce(whole, f"{kind} of {name}")
        return whole.view(shape)

    def _precise_shard(self, flat: Flat) -> Tensor:
        update = self._updates.get(flat)
        if update is not None:
            return update.precise_shard()
        is_half = flat.dtype in (torch.float16, torch.bfloat16)
        return flat.shard.float() if is_half else flat.shard

    def _gather(self, flat: Flat, shard: Tensor) -> Tensor:
        """Over a buffer that the ranks can read: a shard may be anybody's own memory."""
        source = self._communicator.allocate(shard.numel(), shard.dtype, shard.device)
        source.local.copy_(shard)
        whole = torch.empty(flat.layout.padded, dtype=shard.dtype, device=shard.device)
        self._communicator.all_gather(source, whole, f"the whole of {flat.label}").wait()
        return whole

    def _cut(self, flat: Flat, name: str, whole: Tensor) -> Tensor:
        span = next(span for span in flat.layout.spans if span.name == name)
        return whole[span.start : span.start + span.numel].view(span.shape).clone()

    def _write(self, flat: Flat, name: str, values: Tensor, shard: Tensor) -> None:
        for piece in flat.layout.pieces(self._communicator.rank):
            if piece.name == name:
                shard[piece.place] = values[piece.within.start : piece.within.stop]

    def _checked(self, flat: Flat, name: str, value: Tensor) -> Tensor:
        expected = tuple(flat.parameters[name].shape)
        if tuple(value.shape) != expected:
            raise ValueError(f"{name!r} has the shape {expected}, not {tuple(value.shape)}")
        return value.detach().reshape(-1).to(flat.full.device)

    def _flat(self, name: str) -> Flat:
        if name not in self._homes:
            raise KeyError(f"no parameter {name!r}{did_you_mean(name, self._homes)}")
        return self._homes[name]

    def _gradients(self, name: str) -> Any:
        flat = self._flat(name)
        if flat not in self._updates:
            raise KeyError(f"the parameter {name!r} is frozen and has no gradient")
        return self._updates[flat].gradients
