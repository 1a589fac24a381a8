"""Which implementation serves a call: declared by who has one, chosen by the time it takes.

@rk.register("rms_norm", device="cuda", dtypes=[torch.bfloat16])
def mine(x, weight, eps): ...

print(rk.registry.explain("rms_norm", x, weight, 1e-6))
"""

import os
import threading
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import torch

from raylm_kernels.arguments import ArgumentError
from raylm_kernels.choices import Choices, Times
from raylm_kernels.entry import Entry
from raylm_kernels.explanation import Explanation, Row
from raylm_kernels.implementation import REFERENCE, Implementation, first_tensor
from raylm_kernels.names import parse_forced, unknown
from raylm_kernels.shape_class import shape_class, signature
from raylm_kernels.trial import require_works, seconds

_Function = TypeVar("_Function", bound=Callable[..., Any])
_CLOSE = 1.03  # times the best: no difference, so that the priority decides
_MOST_SETTLED = 4096


class Registry:
    """`forced`: `op=implementation,...`. `checks`: compare with the reference on first use."""

    def __init__(
        self, choices: Choices | None = None, *, forced: str = "", checks: bool = False
    ) -> None:
        self._entries: dict[str, Entry] = {}
        self._choices = choices or Choices()
        self._forced = parse_forced(forced)
        self._checks = checks
        self._disabled: dict[tuple[str, str], str] = {}
        self._proven: set[tuple[str, str, str]] = set()
        self._settled: dict[tuple[Any, ...], Implementation] = {}
        self._lock = threading.RLock()

    def ops(self) -> list[str]:
        return sorted(self._entries)

    def define(
        self,
        name: str,
        reference: Callable[..., Any],
        mutates: Sequence[int] = (),
        gradients: Sequence[int] = (),
        keeps_results: bool = False,
    ) -> None:
        """A new op. Raises ValueError where there is one of that name."""
        if name in self._entries:
            raise ValueError(f"there is an op {name!r} already; register an implementation of it")
        self._entries[name] = Entry(name, tuple(mutates), tuple(gradients), keeps_results)
        self.add(Implementation(name, REFERENCE, reference, priority=-1))

    def add(self, implementation: Implementation) -> None:
        entry = self.entry(implementation.op)
        if implementation.name in entry.implementations:
            raise ValueError(
                f"{implementation.op} has an implementation {implementation.name!r} already; "
                "give yours another name"
            )
        entry.implementations[implementation.name] = implementation
        self._settled.clear()

    def entry(self, op: str) -> Entry:
        if op not in self._entries:
            raise ValueError(f"there is no op {unknown(op, self._entries)}")
        return self._entries[op]

    def call(self, op: str, args: Sequence[Any]) -> Any:
        """The result of the chosen implementation. One that fails is not asked again, unless it
        refuses the arguments (`ArgumentError`) or lacks memory."""
        entry = self.entry(op)
        key = op, torch.get_num_threads(), signature(args)
        while True:
            chosen = self._settled.get(key) or self.choose(op, args)
            if chosen.name == REFERENCE:
                return self._settle(key, chosen).function(*args)
            try:
                if key not in self._settled:
                    self._prove(entry, chosen, args)
                return self._settle(key, chosen).function(*args)
            except (torch.OutOfMemoryError, MemoryError, ArgumentError):
                raise
            except Exception as error:
                if entry.mutates and self._is_proven(chosen, args):
                    raise  # what it has changed cannot be undone
                self.disable(chosen, f"{type(error).__name__}: {error}")

    def choose(self, op: str, args: Sequence[Any]) -> Implementation:
        """Raises ValueError where one is forced that does not take these arguments."""
        entry = self.entry(op)
        if op in self._forced:
            return self._force(entry, args)
        able = self._able(entry, args)
        if len(able) == 1:
            return able[REFERENCE]
        times = self._times(entry, able, args)
        return fastest(list(self._able(entry, args).values()), times)  # less what failed meanwhile

    def disable(self, implementation: Implementation, reason: str) -> None:
        key = implementation.op, implementation.name
        is_news = key not in self._disabled
        self._disabled.setdefault(key, reason)
        self._settled.clear()
        if is_news:
            warnings.warn(
                f"{implementation.op}: {implementation.name!r} is not used any more ({reason})",
                stacklevel=2,
            )

    def forget(self, op: str = "") -> None:
        """Time the implementations of `op`, or of all, again."""
        self._choices.forget(f"{op}@" if op else "")
        self._settled.clear()

    def explain(self, op: str, *args: Any) -> Explanation:
        """Every implementation of `op`: what serves these arguments and why not the others."""
        entry = self.entry(op)
        args = entry.complete(args) if args else ()
        chosen = self.choose(op, args) if args else None
        times = (self._choices.times(_key(op, args)) if args else None) or {}
        rows = [
            Row(
                name=one.name,
                is_chosen=one is chosen,
                obstacle=self._disabled.get((op, one.name), "")
                or (one.obstacle(args) if args else one.ready()),
                seconds=times.get(one.name),
                is_forced=self._forced.get(op) == one.name,
            )
            for one in entry.implementations.values()
        ]
        return Explanation(op, shape_class(args), tuple(rows))

    def _settle(self, key: tuple[Any, ...], chosen: Implementation) -> Implementation:
        """Asked again for arguments like these, it need not be chosen again."""
        if key not in self._settled and not _is_capturing():
            if len(self._settled) >= _MOST_SETTLED:
                self._settled.clear()
            self._settled[key] = chosen
        return chosen

    def _able(self, entry: Entry, args: Sequence[Any]) -> dict[str, Implementation]:
        return {
            name: one
            for name, one in entry.implementations.items()
            if (entry.name, name) not in self._disabled and not one.obstacle(args)
        }

    def _force(self, entry: Entry, args: Sequence[Any]) -> Implementation:
        name = self._forced[entry.name]
        if name not in entry.implementations:
            raise ValueError(
                f"RAYLM_KERNELS: {entry.name} has no implementation "
                f"{unknown(name, entry.implementations)}"
            )
        if obstacle := entry.implementations[name].obstacle(args):
            raise ValueError(f"RAYLM_KERNELS forces {entry.name}={name}, which {obstacle}")
        if reason := self._disabled.get((entry.name, name)):
            raise ValueError(f"RAYLM_KERNELS forces {entry.name}={name}, which failed: {reason}")
        return entry.implementations[name]

    def _times(
        self, entry: Entry, able: Mapping[str, Implementation], args: Sequence[Any]
    ) -> Times:
        """Empty where times cannot be taken now."""
        key = _key(entry.name, args)
        known = self._choices.times(key) or {}
        if able.keys() <= known.keys():
            return known
        if _is_capturing():
            return {}
        with self._lock:
            known = self._choices.times(key) or {}  # another thread may have taken them
            if not able.keys() <= known.keys():
                known = {**known, **seconds(entry, able, args, self.disable)}
                self._choices.remember(key, known)
        return known

    def _prove(self, entry: Entry, chosen: Implementation, args: Sequence[Any]) -> None:
        """Before it is let at arguments that it changes, or where all are checked."""
        if not (self._checks or entry.mutates) or self._is_proven(chosen, args):
            return
        require_works(entry, chosen, args, compares=self._checks)
        self._proven.add((chosen.op, chosen.name, shape_class(args)))

    def _is_proven(self, chosen: Implementation, args: Sequence[Any]) -> bool:
        return (chosen.op, chosen.name, shape_class(args)) in self._proven


def fastest(able: Sequence[Implementation], times: Times) -> Implementation:
    """The one of the highest priority among those that are not slower than the best (pure)."""
    best = min((times.get(one.name, 0.0) for one in able), default=0.0)
    quick = [one for one in able if times.get(one.name, 0.0) <= best * _CLOSE]
    return max(quick, key=lambda one: one.priority)


def _key(op: str, args: Sequence[Any]) -> str:
    device = first_tensor(args).device
    where = f"cpu/{torch.get_num_threads()}" if device.type == "cpu" else device.type
    return f"{op}@{where}:{shape_class(args)}"


def _is_capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


_default = Registry(
    forced=os.environ.get("RAYLM_KERNELS", ""),
    checks=os.environ.get("RAYLM_KERNELS_CHECK") == "1",
)
ops = _default.ops
entry = _default.entry
define = _default.define
add = _default.add
call = _default.call
choose = _default.choose
explain = _default.explain
forget = _default.forget


def register(
    op: str | Callable[..., Any],
    *,
    name: str | None = None,
    device: str | None = None,
    dtypes: Collection[torch.dtype] | None = None,
    capability: tuple[int, int] | None = None,
    when: Callable[..., bool] | None = None,
    priority: int = 0,
    ready: Callable[[], str] | None = None,
) -> Callable[[_Function], _Function]:
    """Add the decorated function, which takes the op's arguments, as an implementation of `op`, or
    of the op of that name; named like itself unless `name` is given. The conditions are those of
    `Implementation`."""

    def decorate(function: _Function) -> _Function:
        conditions: dict[str, Any] = {} if ready is None else {"ready": ready}
        _default.add(
            Implementation(
                op if isinstance(op, str) else op.__name__,
                name or function.__name__,
                function,
                device=device,
                dtypes=None if dtypes is None else frozenset(dtypes),
                capability=capability,
                when=when,
                priority=priority,
                **conditions,
            )
        )
        return function

    return decorate
