"""A torch optimizer, or several, that each step on what this rank owns of the parameters.

The optimizers are the user's own objects, with their groups and hyper-parameters: only the
tensors in the groups are exchanged for shares. They step one flat buffer at a time, so that
float32 copies of 16-bit gradients exist for one at a time.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from raylm.collectives.communicator import Communicator
from raylm.core.errors import ConfigError
from raylm.core.partition import assign_owners
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.gradients import Gradients
from raylm.parallel.zero.update import FlatUpdate

Group = dict[str, object]


class ShardedOptimizer:
    """`is_elementwise[i]`: the update of an element by `optimizers[i]` depends on that element
    alone; the others get whole matrices."""

    def __init__(
        self,
        optimizers: Sequence[torch.optim.Optimizer],
        is_elementwise: Sequence[bool],
        gradients: Sequence[Gradients],
        communicator: Communicator,
    ) -> None:
        self.optimizers = list(optimizers)
        places = _places([part.flat for part in gradients])
        members = [_names(optimizer, places) for optimizer in optimizers]
        self._home = {
            name: optimizer
            for optimizer, groups in zip(self.optimizers, members, strict=True)
            for name in chain.from_iterable(groups)
        }
        whole = [
            name
            for groups, elementwise in zip(members, is_elementwise, strict=True)
            for name in chain.from_iterable(groups)
            if not elementwise
        ]
        owners = _owners(whole, gradients, communicator.world_size)
        self.updates = [
            FlatUpdate(
                part.flat,
                part,
                {name: owners[name] for name in part.flat.parameters if name in owners},
                communicator,
            )
            for part in gradients
        ]
        self._shares = [
            [
                [update.shares[name] for name in names if name in update.shares]
                for groups in members
                for names in groups
            ]
            for update in self.updates
        ]
        self._groups: list[Group] = [g for o in self.optimizers for g in o.param_groups]
        for optimizer, groups in zip(self.optimizers, members, strict=True):
            self._carry_over(optimizer, list(chain.from_iterable(groups)))
        self._show_all()

    @property
    def groups(self) -> list[Group]:
        return self._groups

    @property
    def held_bytes(self) -> int:
        """Master copies, whole matrices and the optimizers' states."""
        states = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for optimizer in self.optimizers
            for state in optimizer.state.values()
            for tensor in state.values()
            if isinstance(tensor, Tensor)
        }
        return sum(states.values()) + sum(update.held_bytes for update in self.updates)

    def step(self, scale: float, used: Collection[str]) -> None:
        """Update with the gradients times `scale`; parameters outside of `used` are left alone."""
        try:
            for update, shares in zip(self.updates, self._shares, strict=True):
                update.prepare(scale, used)
                for group, members in zip(self._groups, shares, strict=True):
                    group["params"] = members
                for optimizer in self.optimizers:
                    if any(group["params"] for group in optimizer.param_groups):
                        optimizer.step()
                update.finish()
        finally:
            self._show_all()

    def state(self, name: str, share: Tensor) -> dict[str, Any]:
        """The optimizer's live state of a share, by kind: tensors and numbers."""
        if name not in self._home:
            return {}
        state = self._home[name].state.get(share, {})
        return {kind: v for kind, v in state.items() if isinstance(v, Tensor | int | float)}

    def set_state(self, name: str, share: Tensor, state: dict[str, Any]) -> None:
        if name in self._home:
            self._home[name].state[share] = dict(state)

    def place_state(self, name: str, kind: str, value: Tensor, share: Tensor) -> Tensor:
        """On the device where the optimizer keeps it: torch counts steps on the host unless its
        kernel is fused or captured."""
        if name not in self._home:
            return value
        groups = self._home[name].param_groups
        on_device = any(group.get("fused") or group.get("capturable") for group in groups)
        return value if kind == "step" and not on_device else value.to(share.device)

    def items(self) -> Iterator[tuple[FlatUpdate, str, Tensor]]:
        for update in self.updates:
            for name, share in update.shares.items():
                yield update, name, share

    @torch.no_grad()
    def _carry_over(self, optimizer: torch.optim.Optimizer, names: Sequence[str]) -> None:
        """State that the optimizer brings along, of parameters, becomes state of their shares."""
        parameters = [p for g in optimizer.param_groups for p in g["params"] if p.requires_grad]
        states = {n: optimizer.state.get(p, {}) for n, p in zip(names, parameters, strict=True)}
        numel = {n: p.numel() for n, p in zip(names, parameters, strict=True)}
        optimizer.state.clear()
        for update, name, share in self.items():
            if states.get(name):
                within = update.pieces[name].within
                optimizer.state[share] = {
                    kind: _carried(value, kind, share, within, numel[name], optimizer)
                    for kind, value in states[name].items()
                }

    def _show_all(self) -> None:
        """Between steps every group shows all of its shares."""
        for place, group in enumerate(self._groups):
            group["params"] = [share for shares in self._shares for share in shares[place]]


def _carried(
    value: Any,
    kind: str,
    share: Tensor,
    within: range,
    numel: int,
    optimizer: torch.optim.Optimizer,
) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.is_meta:  # made for a parameter without memory; Adagrad is the one to do so
        first = optimizer.defaults.get("initial_accumulator_value", 0.0) if kind == "sum" else 0.0
        value = torch.full(value.shape, first, dtype=value.dtype, device="cpu")
    if value.ndim and value.numel() == numel:
        part = value.reshape(-1)[within.start : within.stop].view_as(share)
        return part.to(share.dtype, copy=True)
    return value.clone()


def _places(flats: Sequence[Flat]) -> dict[int, str]:
    return {id(p): name for flat in flats for name, p in flat.parameters.items()}


def _names(optimizer: torch.optim.Optimizer, places: dict[int, str]) -> list[list[str]]:
    """The parameters' names by group. Raises ConfigError for one that the model does not have."""
    groups = []
    for number, group in enumerate(optimizer.param_groups):
        parameters: list[nn.Parameter] = [p for p in group["params"] if p.requires_grad]
        strange = [p for p in parameters if id(p) not in places]
        if strange:
            raise ConfigError(
                f"group {number} of the optimizer has a parameter of shape "
                f"{tuple(strange[0].shape)} that the model does not have; make the optimizer "
                "from model.parameters()"
            )
        groups.append([places[id(p)] for p in parameters])
    return groups


def _owners(
    names: Sequence[str], gradients: Sequence[Gradients], world_size: int
) -> dict[str, int]:
    """Nobody owns what every rank updates whole."""
    sizes = {
        span.name: span.numel
        for part in gradients
        if not part.flat.is_replicated
        for span in part.flat.layout.spans
        if span.numel
    }
    owned = [name for name in names if name in sizes and world_size > 1]
    ranks = assign_owners([sizes[name] for name in owned], world_size)
    return dict(zip(owned, ranks, strict=True))
