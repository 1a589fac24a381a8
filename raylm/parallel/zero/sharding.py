"""ZeRO over any module: its units' buffers, the hooks that move them, the reduction of gradients.

One layout serves every stage (Rajbhandari et al., 2020); a stage says what stays whole:

    stage 0   parameters, gradients and optimizer state
    stage 1   parameters and gradients
    stage 2   parameters
    stage 3   nothing
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar
from weakref import WeakSet

import torch
from torch import nn

from raylm.collectives.communicator import Communicator
from raylm.core.errors import RayLMError
from raylm.core.schema import ZeroConfig
from raylm.parallel.zero.arrangement import arrange, stays_whole
from raylm.parallel.zero.eager import eager
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.gradients import Gradients, ShardedGradients, WholeGradients
from raylm.parallel.zero.materialize import materialize, materialize_buffers
from raylm.parallel.zero.parameters import WatchedParameters
from raylm.parallel.zero.reducer import Reducer
from raylm.parallel.zero.residency import Residency
from raylm.parallel.zero.saved import SavedParameters
from raylm.parallel.zero.staging import Staging
from raylm.parallel.zero.units import Unit


class Sharding:
    """Takes over `module`: its parameters become views of flat buffers, whose dtype
    `parameter_dtype` says for each of theirs. Gradients are summed in `gradient_dtype`, None: as
    the parameters are."""

    _all: ClassVar["WeakSet[Sharding]"] = WeakSet()
    _made: ClassVar[int] = 0

    def __init__(
        self,
        module: nn.Module,
        config: ZeroConfig,
        communicator: Communicator,
        device: torch.device,
        *,
        parameter_dtype: Callable[[torch.dtype], torch.dtype] = lambda own: own,
        gradient_dtype: torch.dtype | None = None,
    ) -> None:
        self.module, self.config, self.communicator = module, config, communicator
        self._device, self._parameter_dtype = device, parameter_dtype
        self.flats, of_unit = self._build_flats()
        self.residency = Residency(self.flats, config.prefetch_bytes)
        self._saved = SavedParameters(self.flats, self.residency)
        self._saving: Any = None
        self._watch_parameters()
        self._has_run = False
        self._install_hooks(of_unit if self.stage > 0 else [])
        self._stagings: dict[torch.dtype, Staging] = {}
        self.gradients = [
            self._gradients(flat, gradient_dtype or flat.dtype)
            for flat in self.flats
            if flat.is_trainable
        ]
        self.reducer = Reducer(self.gradients, communicator, self._on_complete)
        Sharding._made += 1
        self._number = Sharding._made
        self._all.add(self)

    @property
    def stage(self) -> int:
        return self.config.stage

    @property
    def reduces_every_pass(self) -> bool:
        """Where gradients are not kept whole, they cannot wait for the last micro-batch."""
        return self.stage >= 2

    def begin_backward(self, reduces: bool) -> None:
        """Before autograd runs. The graph may reach into other engines' modules as well."""
        for sharding in self._in_order():
            if sharding is self or sharding._has_run:
                sharding.residency.begin_backward()
                sharding.reducer.begin(reduces)

    def end_backward(self) -> None:
        """After autograd has run: the gradients that this pass sums are summed."""
        for sharding in self._in_order():
            if sharding.reducer.is_running:
                sharding.reducer.end()
                sharding.residency.end_pass()
                sharding._has_run = False

    def abort_backward(self) -> None:
        """Autograd has raised: forget the gradients of this step so far."""
        for sharding in self._in_order():
            if sharding.reducer.is_running:
                sharding.reducer.abort()
                sharding.residency.end_pass()
                sharding._has_run = False

    def retire(self) -> None:
        """Take part in no backward pass any more."""
        self._all.discard(self)

    def _in_order(self) -> list["Sharding"]:
        """Every rank goes through its engines alike: their collectives must meet."""
        return sorted(self._all, key=lambda sharding: sharding._number)

    def publish(self, everything: bool = False) -> None:
        """This rank has updated its shards: let the others see them, and see theirs.

        Whole buffers are on their way when this returns; using a module waits for its own.
        `everything`: frozen ones as well.
        """
        if self.stage == 0:
            return
        self.communicator.fence("updated parameters")
        for flat in self.flats:
            if flat.is_whole and (flat.is_trainable or everything):
                flat.start_gather()

    def settle(self) -> None:
        """Wait for what `publish` has started."""
        for flat in self.flats:
            if flat.is_whole:
                flat.finish_gather()

    @property
    def parameter_bytes(self) -> int:
        return sum(flat.held_bytes for flat in self.flats)

    @property
    def gradient_bytes(self) -> int:
        return sum(part.held_bytes for part in self.gradients)

    @property
    def staging_bytes(self) -> int:
        return sum(staging.size_bytes for staging in self._stagings.values())

    def _build_flats(self) -> tuple[list[Flat], list[tuple[Unit, list[Flat]]]]:
        flats: list[Flat] = []
        of_unit: list[tuple[Unit, list[Flat]]] = []
        for part in arrange(self.module, self.config):
            for unit in part.units:
                materialize(self.module, unit.module, unit.name, unit.parameters, self._device)
            made = [self._flat(part.units, parameters) for parameters in part.buffers]
            flats += made
            of_unit += [
                (unit, [f for f in made if not unit.parameters.keys().isdisjoint(f.parameters)])
                for unit in part.units
            ]
        materialize_buffers(self.module, self._device)
        return flats, of_unit

    def _flat(self, members: Sequence[Unit], parameters: dict[str, nn.Parameter]) -> Flat:
        first = next(iter(parameters.values()))
        numel = sum(p.numel() for p in parameters.values())
        names = [unit.name or "the root" for unit in members]
        return Flat(
            names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}",
            parameters,
            self.communicator,
            is_whole=stays_whole(self.config, numel),
            is_replicated=self.stage == 0,
            dtype=self._parameter_dtype(first.dtype) if first.is_floating_point() else first.dtype,
            device=self._device,
        )

    def _gradients(self, flat: Flat, dtype: torch.dtype) -> Gradients:
        if self.stage < 2:
            return WholeGradients(flat, self.communicator, dtype)
        if dtype not in self._stagings:
            largest = max(f.layout.padded for f in self.flats if f.is_trainable)
            limit = min(self.config.bucket_bytes, largest * dtype.itemsize)
            self._stagings[dtype] = Staging(self.communicator, limit, dtype, self._device)
        return ShardedGradients(flat, self.communicator, dtype, self._stagings[dtype])

    def _watch_parameters(self) -> None:
        if self.stage == 0:
            return
        homes = {id(p): flat for flat in self.flats for p in flat.parameters.values()}
        for module in self.module.modules():
            direct = module._parameters
            flats = {n: homes[id(p)] for n, p in direct.items() if p is not None and id(p) in homes}
            if flats:
                module._parameters = WatchedParameters(direct, flats, self.residency)
            if not all(flat.is_whole for flat in flats.values()):
                module.register_state_dict_pre_hook(_refuse_state)  # type: ignore[no-untyped-call]

    def _install_hooks(self, of_unit: Sequence[tuple[Unit, list[Flat]]]) -> None:
        """The root comes last, so that its hooks are the outermost also where it is a unit."""
        for unit, flats in of_unit:
            if unit.module is not self.module:
                self._hook(unit.module, flats)
        rest = [flats for unit, flats in of_unit if unit.module is self.module]
        self._hook(self.module, rest[0] if rest else [])

    def _hook(self, module: nn.Module, flats: Sequence[Flat]) -> None:
        module.register_forward_pre_hook(partial(self._enter, flats), prepend=True)
        module.register_forward_hook(self._leave, always_call=True)

    @eager
    def _enter(self, flats: Sequence[Flat], module: nn.Module, inputs: Any) -> None:
        if self._saved and self.residency.is_first and torch.is_grad_enabled():
            self._saving = self._saved.hooks()
            self._saving.__enter__()
        self._has_run = self._has_run or torch.is_grad_enabled()
        self.residency.enter(flats)

    @eager
    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.residency.leave()
        if self.residency.is_idle and self._saving is not None:
            self._saving.__exit__(None, None, None)
            self._saving = None

    def _on_complete(self, flat: Flat) -> None:
        self.residency.release(flat)


def _refuse_state(module: nn.Module, prefix: str, keep_vars: bool) -> None:
    """With `keep_vars` nobody reads the values, whose memory may not be here."""
    if not keep_vars:
        raise RayLMError(
            f"the parameters of {prefix.removesuffix('.') or 'the root'} are sharded; call "
            "engine.full_state_dict() on every rank instead of state_dict()"
        )
