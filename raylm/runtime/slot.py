"""A snapshot in one stretch of memory that describes itself: whoever maps it can read it.

    seal (step + 1, bytes of contents) | contents (JSON) | values, each at a multiple of 64 bytes

The seal is broken before anything changes and set when all is written, so that a snapshot
whose writer was killed halfway is never taken for one.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import orjson
import torch
from torch import Tensor

Snapshot = Mapping[str, tuple[int, int, Tensor]]
"""name -> (start, length, values): `values` (1-D) are elements `start` on of `length` in all."""

_SEAL_BYTES = 16
_ALIGNMENT = 64
_LARGEST = 2**53  # no offset takes more digits in the contents than this one


class Entry(NamedTuple):
    """`is_part`: ranks divide the array among them, even if this one, alone, has all of it."""

    start: int
    length: int
    numel: int
    dtype: str
    offset: int
    is_part: bool

    @property
    def interval(self) -> range:
        return range(self.start, self.start + self.numel)


class Slot:
    """`memory`: bytes."""

    def __init__(self, memory: Tensor) -> None:
        self.memory = memory
        self._seal = memory[:_SEAL_BYTES].view(torch.int64)
        self._parsed: tuple[int | None, dict[str, Entry]] = None, {}

    @property
    def step(self) -> int | None:
        """None: nothing whole is in here."""
        return int(self._seal[0]) - 1 if self._seal[0] > 0 else None

    @property
    def size_bytes(self) -> int:
        return self.memory.nbytes

    def write(self, step: int, snapshot: Snapshot, parts: Collection[str] = ()) -> None:
        """`parts`: the arrays that ranks divide among them."""
        self._seal[0] = 0
        contents, _ = _arrange(snapshot, parts)
        text = _encode(contents)
        self.memory[_SEAL_BYTES : _SEAL_BYTES + len(text)] = torch.frombuffer(
            bytearray(text), dtype=torch.uint8
        )
        for name, (_, _, values) in snapshot.items():
            self._view(contents[name]).copy_(values.detach().reshape(-1))
        self._seal[1] = len(text)
        self._seal[0] = step + 1

    def contents(self) -> dict[str, Entry]:
        step = self.step
        if self._parsed[0] != step:
            text = self.memory[_SEAL_BYTES : _SEAL_BYTES + int(self._seal[1])].numpy().tobytes()
            entries = {name: Entry(*fields) for name, fields in orjson.loads(text).items()}
            self._parsed = step, entries
        return self._parsed[1]

    def read(self, name: str) -> Tensor:
        """A view: it changes when the slot is written again."""
        return self._view(self.contents()[name])

    def _view(self, entry: Entry) -> Tensor:
        dtype = getattr(torch, entry.dtype)
        size_bytes = entry.numel * dtype.itemsize
        return self.memory[entry.offset : entry.offset + size_bytes].view(dtype)


def size_bytes(snapshot: Snapshot) -> int:
    """Of the slot that holds it."""
    return _arrange(snapshot, ())[1]


def _arrange(snapshot: Snapshot, parts: Collection[str]) -> tuple[dict[str, Entry], int]:
    """Where each value goes, and the size of all."""
    sizes = {name: values.nbytes for name, (_, _, values) in snapshot.items()}
    outline = {
        name: Entry(start, length, values.numel(), _name(values.dtype), _LARGEST, False)
        for name, (start, length, values) in snapshot.items()
    }
    at = _aligned(_SEAL_BYTES + len(_encode(outline)))
    contents = {}
    for name, (start, length, values) in snapshot.items():
        dtype = _name(values.dtype)
        contents[name] = Entry(start, length, values.numel(), dtype, at, name in parts)
        at = _aligned(at + sizes[name])
    return contents, at


def _encode(contents: Mapping[str, Entry]) -> bytes:
    return orjson.dumps({name: list(entry) for name, entry in contents.items()})


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT
