"""An engine's state between two steps as intervals of flat arrays: what replicas hold of a rank.

<kind>/<name>            this rank's part of a parameter, or of optimizer state of its shape
<kind>@<shape>/<name>    optimizer state of another shape, whole
rng/<rank>               the rank's own random state
progress                 steps done and loss scale as JSON, the same on every rank
"""

from collections.abc import Mapping, Sequence

import orjson
import torch
from torch import Tensor

from raylm.parallel.zero import state
from raylm.parallel.zero.state import StatePart
from raylm.runtime.slot import Entry, Snapshot
from raylm.runtime.transfer import Intervals
from raylm.train.engine import Engine

Shape = tuple[int, ...]
_PROGRESS = "progress"


def take(engine: Engine) -> Snapshot:
    """The big tensors are live memory. No rank waits for another."""
    shapes = _shapes(engine)
    taken: dict[str, tuple[int, int, Tensor]] = {}
    for part in (
        *state.parameter_parts(engine.sharding, engine.optimizer),
        *state.optimizer_parts(engine.sharding, engine.optimizer),
    ):
        taken[_key(part, shapes[part.name])] = (
            part.start,
            torch.Size(part.shape).numel(),
            part.values,
        )
    for key, values in ((_rng(engine.rank), torch.get_rng_state()), (_PROGRESS, _progress(engine))):
        taken[key] = 0, values.numel(), values
    return taken


def wanted(engine: Engine, held: Mapping[str, Sequence[Entry]], former_rank: int) -> Intervals:
    """What `engine`, made for a new group, needs of what the former one held."""
    keys: dict[str, list[str]] = {}
    for key in held:
        keys.setdefault(key.partition("/")[2], []).append(key)
    whole = {key: range(entries[0].length) for key, entries in held.items()}
    wants = {key: whole[key] for key in (_PROGRESS, _rng(former_rank)) if key in held}
    for name, within in state.intervals(engine.sharding, engine.optimizer):
        wants |= {key: whole[key] if "@" in key else within for key in keys.get(name, ())}
    return wants


def restore(engine: Engine, snapshot: Snapshot, former_rank: int) -> None:
    """Every rank calls this with what it `wanted`."""
    source = _Source(snapshot, _shapes(engine))
    state.load_parameters(engine.sharding, engine.optimizer, source)
    state.load_optimizer(engine.optimizer, source)
    progress = orjson.loads(snapshot[_PROGRESS][2].numpy().tobytes())
    engine.global_steps = progress["global_steps"]
    engine.skipped_steps = progress["skipped_steps"]
    engine.loss_scaler.load(progress["loss_scale"])
    engine.set_scheduled_lr()
    if _rng(former_rank) in snapshot:  # a rank that joins keeps its own seed
        torch.set_rng_state(snapshot[_rng(former_rank)][2])


class _Source:
    """The snapshot as the state's loaders read it."""

    def __init__(self, snapshot: Snapshot, shapes: Mapping[str, Shape]) -> None:
        self._snapshot, self._shapes = snapshot, shapes
        self._keys: dict[tuple[str, str], str] = {}
        for key in snapshot:
            label, _, name = key.partition("/")
            if name in shapes:
                self._keys[label.partition("@")[0], name] = key

    def names(self, kind: str) -> list[str]:
        """Of the whole model, not of this rank's part alone."""
        return list(self._shapes)

    def kinds(self, name: str) -> list[str]:
        return [kind for kind, of_name in self._keys if of_name == name]

    def shape(self, kind: str, name: str) -> Shape:
        _, has_own, text = self._keys[kind, name].partition("/")[0].partition("@")
        if not has_own:
            return self._shapes[name]
        return tuple(int(size) for size in text.split("x") if size)

    def check_shape(self, kind: str, name: str, shape: Shape) -> None:
        """Nothing: it is the same model."""

    def read_into(self, kind: str, name: str, wanted: range, target: Tensor) -> None:
        start, _, values = self._snapshot[self._keys[kind, name]]
        target.copy_(values[wanted.start - start : wanted.stop - start])

    def read(self, kind: str, name: str) -> Tensor:
        return self._snapshot[self._keys[kind, name]][2].view(self.shape(kind, name))


def _shapes(engine: Engine) -> dict[str, Shape]:
    return {s.name: tuple(s.shape) for flat in engine.sharding.flats for s in flat.layout.spans}


def _key(part: StatePart, parameter_shape: Shape) -> str:
    if part.shape == parameter_shape:
        return f"{part.kind}/{part.name}"
    return f"{part.kind}@{'x'.join(map(str, part.shape))}/{part.name}"


def _rng(rank: int) -> str:
    return f"rng/{rank}"


def _progress(engine: Engine) -> Tensor:
    text = orjson.dumps(
        {
            "global_steps": engine.global_steps,
            "skipped_steps": engine.skipped_steps,
            "loss_scale": engine.loss_scaler.state(),
        }
    )
    return torch.frombuffer(bytearray(text), dtype=torch.uint8)
