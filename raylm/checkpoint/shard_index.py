"""All shards of a checkpoint as one set of flattened tensors, any interval of which can be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from raylm.checkpoint.manifest import MANIFEST, Manifest
from raylm.checkpoint.shard_file import shard_name, split_key
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.errors import CheckpointError
from raylm.core.partition import Copy, cover
from raylm.models.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class _Stored:
    """An interval of a tensor, in an open file."""

    file: Any
    key: str
    elements: range


class ShardIndex:
    """Opening reads the headers; elements are read from the disk when they are asked for.

    Every fault of the files is a CheckpointError that names the file, the tensor, what was
    expected and what was found.
    """

    def __init__(self, folder: Path, world_size: int, tensors: Mapping[str, TensorRecord]) -> None:
        """`tensors` by KIND/NAME; each must be whole in the shards of `world_size` ranks."""
        self.folder = folder
        self._tensors = tensors
        self._kinds: dict[str, list[str]] = {}
        for kind, _, name in (key.partition("/") for key in tensors):
            self._kinds.setdefault(name, []).append(kind)
        self._stored: dict[str, list[_Stored]] = {key: [] for key in tensors}
        shards = [folder / shard_name(rank, world_size) for rank in range(world_size)]
        self.fingerprint = fingerprint(shards)
        for shard in shards:
            self._add(shard)
        for key, record in tensors.items():
            self._cover(key, range(record.numel))

    @classmethod
    def open(cls, folder: Path) -> Self:
        manifest = Manifest.read(folder)
        if not manifest.tensors:
            raise CheckpointError(
                f"{folder}: not a sharded checkpoint, its {MANIFEST} has no tensors"
            )
        return cls(folder, manifest.world_size, manifest.tensors)

    def keys(self) -> list[str]:
        """KIND/NAME of every tensor."""
        return list(self._tensors)

    def names(self, kind: str) -> list[str]:
        prefix = f"{kind}/"
        return [key.removeprefix(prefix) for key in self._tensors if key.startswith(prefix)]

    def kinds(self, name: str) -> list[str]:
        """Of the tensors of that name."""
        return self._kinds.get(name, [])

    def has(self, kind: str, name: str) -> bool:
        return f"{kind}/{name}" in self._tensors

    def shape(self, kind: str, name: str) -> tuple[int, ...]:
        return self._record(kind, name).shape

    def dtype(self, kind: str, name: str) -> torch.dtype:
        return self._record(kind, name).torch_dtype

    def check_shape(self, kind: str, name: str, shape: Sequence[int]) -> None:
        found = self.shape(kind, name)
        if found != tuple(shape):
            raise CheckpointError(
                f"{self.folder / MANIFEST}: the tensor '{kind}/{name}' has the shape {found}, "
                f"expected {tuple(shape)}"
            )

    @torch.no_grad()
    def read_into(self, kind: str, name: str, wanted: range, target: Tensor) -> None:
        """Fill `target`, 1-D and of any dtype and device, with the elements `wanted`.

        Raises ValueError for a target of another length.
        """
        self._record(kind, name)
        if target.shape != (len(wanted),):
            raise ValueError(f"{len(wanted)} elements into a target of {tuple(target.shape)}")
        key = f"{kind}/{name}"
        for copy in self._cover(key, wanted):
            stored = self._stored[key][copy.source]
            target[copy.write].copy_(stored.file.get_slice(stored.key)[copy.read])

    def read(self, kind: str, name: str, dtype: torch.dtype | None = None) -> Tensor:
        """The whole tensor in its shape, in `dtype` or the one it was saved in."""
        record = self._record(kind, name)
        tensor = torch.empty(record.shape, dtype=dtype or record.torch_dtype)
        self.read_into(kind, name, range(record.numel), tensor.view(-1))
        return tensor

    def _record(self, kind: str, name: str) -> TensorRecord:
        try:
            return self._tensors[f"{kind}/{name}"]
        except KeyError:
            message = f"{self.folder / MANIFEST}: the tensor '{kind}/{name}' is missing"
            raise CheckpointError(message) from None

    def _cover(self, key: str, wanted: range) -> list[Copy]:
        try:
            return cover([stored.elements for stored in self._stored[key]], wanted)
        except ValueError as error:
            raise CheckpointError(
                f"{self.folder}: the tensor {key!r} of {self._tensors[key].numel} elements is "
                f"incomplete: {error}"
            ) from None

    def _add(self, path: Path) -> None:
        file = _open(path)
        keys: list[str] = file.keys()
        for key in keys:
            header = file.get_slice(key)
            try:
                tensor, elements = self._checked(key, header.get_shape(), header.get_dtype())
            except ValueError as error:
                raise CheckpointError(f"{path}: not a shard of this checkpoint: {error}") from None
            self._stored[tensor].append(_Stored(file, key, elements))

    def _checked(self, key: str, shape: Sequence[int], dtype: str) -> tuple[str, range]:
        """The tensor that a key of a shard is part of, and which; ValueError says why of none."""
        tensor, start = split_key(key)
        if tensor not in self._tensors:
            raise ValueError(f"the manifest has no tensor {tensor!r}")
        record = self._tensors[tensor]
        if dtype != record.dtype:
            raise ValueError(f"{key!r} is of the dtype {dtype}, expected {record.dtype}")
        if len(shape) != 1 or start + shape[0] > record.numel:
            raise ValueError(
                f"{key!r} of shape {tuple(shape)} is no part of {record.numel} elements"
            )
        return tensor, range(start, start + shape[0])


def _open(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: missing from the checkpoint") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: {_what_is(path)}, not a safetensors file: {error}"
        ) from None


def _what_is(path: Path) -> str:
    """A guess from the first bytes, which are looked at and never executed."""
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive, as torch.save writes"
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "a pickle"
    return "truncated or foreign"
