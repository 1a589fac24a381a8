"""Which sharded parameters are gathered at the moment: fetched on use, released after it.

A unit is fetched when its forward begins, when one of its parameters is looked at, and when
autograd wants a tensor it saved of it. That alone makes every control flow right. The uses of
the last pass, recorded, serve only to gather the next ones early, within a byte budget.
"""

from collections.abc import Sequence
from enum import Enum

import torch

from raylm.parallel.zero.eager import eager
from raylm.parallel.zero.flat import Flat, Presence


class Phase(Enum):
    FORWARD = 0
    BACKWARD = 1


Use = tuple[Phase, Flat]
_LONGEST_RECORD = 100_000


class Residency:
    """`gathered_bytes` is what sharded parameters take at the moment beyond their shards."""

    def __init__(self, flats: Sequence[Flat], prefetch_bytes: int) -> None:
        sizes = [flat.full_bytes for flat in flats if not flat.is_whole]
        self._limit_bytes = max(sizes, default=0) + prefetch_bytes
        self._prefetch_bytes = prefetch_bytes
        self._stack: list[list[Flat]] = []  # the flats each running forward relies on
        self._gathered: dict[Flat, None] = {}  # sharded ones, the least recently used first
        self._pinned: set[Flat] = set()
        self._phase = Phase.FORWARD
        self._uses: list[Use] = []
        self._recorded: dict[bool, list[Use]] = {True: [], False: []}
        self._expected: list[Use] = []
        self._at = 0
        self.gathered_bytes = 0
        self.peak_gathered_bytes = 0

    @property
    def is_idle(self) -> bool:
        """No forward is running."""
        return not self._stack

    @property
    def is_first(self) -> bool:
        """A forward that begins now is not part of another one or of a backward pass, in which
        torch.utils.checkpoint has hooks on saved tensors of its own."""
        return not self._stack and self._phase is Phase.FORWARD

    def enter(self, flats: Sequence[Flat]) -> None:
        """A forward begins that relies on `flats`."""
        if not self._stack and not self._uses:
            self._expected, self._at = self._recorded[torch.is_grad_enabled()], 0
        self._stack.append(list(flats))
        for flat in flats:
            self.fetch(flat)
            if self._phase is Phase.BACKWARD:
                self._pinned.add(flat)  # recomputed: its backward uses plain references

    def leave(self) -> None:
        """The innermost forward has ended. What comes back first in the backward pass stays."""
        frame = self._stack.pop()
        if self._phase is Phase.FORWARD:
            soon = self._expected[self._at : self._at + len(frame)]
            for flat in frame:
                is_needed = any(flat in outer for outer in self._stack)
                if not is_needed and (Phase.BACKWARD, flat) not in soon:
                    self.release(flat)
        if not self._stack and not torch.is_grad_enabled():
            self.end_pass()

    @eager
    def touch(self, flat: Flat) -> None:
        """A parameter was looked at; outside its own forward it stays for the one that runs."""
        if not self._stack:
            self.fetch(flat)
            self._pinned.add(flat)
        elif flat not in self._stack[-1] or flat.presence is not Presence.GATHERED:
            self.fetch(flat)
            self._stack[-1].append(flat)

    def begin_backward(self) -> None:
        self._phase = Phase.BACKWARD

    def fetch(self, flat: Flat) -> None:
        """Returns when the whole flat is here."""
        self._record((self._phase, flat))
        if not flat.is_whole:
            self._make_room(flat)
            self._gather(flat)
            self._gathered[flat] = self._gathered.pop(flat)  # now the most recently used
        self._prefetch()
        flat.finish_gather()

    def release(self, flat: Flat) -> None:
        if flat in self._gathered:
            del self._gathered[flat]
            self.gathered_bytes -= flat.full_bytes
            self._pinned.discard(flat)
            flat.release()

    def end_pass(self) -> None:
        """The backward pass, or a forward without one, is over: nothing sharded stays."""
        self._recorded[self._phase is Phase.BACKWARD] = self._uses
        self._uses, self._phase = [], Phase.FORWARD
        self._pinned.clear()
        for flat in list(self._gathered):
            if not any(flat in frame for frame in self._stack):
                self.release(flat)

    def _record(self, use: Use) -> None:
        if self._uses and self._uses[-1] == use:
            return
        self._uses.append(use)
        if len(self._uses) > _LONGEST_RECORD:  # forwards with gradients and never a backward
            self._uses = []
        if use in self._expected[self._at : self._at + 1]:
            self._at += 1
        elif use in self._expected[self._at :]:
            self._at = self._expected.index(use, self._at) + 1

    def _prefetch(self) -> None:
        room = self._prefetch_bytes
        for _, flat in self._expected[self._at :]:
            if flat.is_whole or flat.presence is Presence.GATHERED:
                continue
            room -= flat.full_bytes
            if room < 0:
                return
            self._gather(flat)

    def _gather(self, flat: Flat) -> None:
        if flat.presence is Presence.RELEASED:
            flat.start_gather()
            self.gathered_bytes += flat.full_bytes
            self.peak_gathered_bytes = max(self.peak_gathered_bytes, self.gathered_bytes)
            self._gathered[flat] = None

    def _make_room(self, wanted: Flat) -> None:
        """What autograd asks for again is fetched again, so that any idle flat may go."""
        size = 0 if wanted in self._gathered else wanted.full_bytes
        for flat in list(self._gathered):
            if self.gathered_bytes + size <= self._limit_bytes:
                return
            is_used = flat is wanted or flat in self._pinned or flat.presence is Presence.GATHERING
            if not is_used and not any(flat in frame for frame in self._stack):
                self.release(flat)
