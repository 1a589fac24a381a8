"""One rank's file of a sharded checkpoint: contiguous intervals of flattened tensors.

A safetensors file of 1-D tensors named KIND/NAME@START, and a sidecar with its size and hash.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from raylm.checkpoint.durable_file import durable
from raylm.checkpoint.manifest import FileRecord
from raylm.checkpoint.tensor_record import code_of
from raylm.core.errors import CheckpointError

_BLOCK = 1 << 20  # elements that leave the device, are hashed and written at a time


@dataclass(frozen=True, slots=True)
class Part:
    """Elements of a flattened tensor from `start` on; `values` is 1-D, on any device."""

    kind: str
    name: str
    start: int
    values: Tensor

    def __post_init__(self) -> None:
        if not self.kind or "/" in self.kind:
            raise ValueError(f"the kind {self.kind!r} is empty or has a slash in it")
        if self.start < 0 or self.values.dim() != 1:
            shape = tuple(self.values.shape)
            raise ValueError(f"{self.key}: not an interval: starts at {self.start}, shape {shape}")

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}@{self.start}"


def split_key(key: str) -> tuple[str, int]:
    """KIND/NAME and START; raises ValueError for a key of another form."""
    tensor, _, start = key.rpartition("@")
    if not (start.isascii() and start.isdecimal()) or tensor.find("/") < 1:
        raise ValueError(f"{key!r} is not KIND/NAME@START")
    return tensor, int(start)


def shard_name(rank: int, world_size: int) -> str:
    return f"shard-{rank:05d}-of-{world_size:05d}.safetensors"


def write_shard(folder: Path, rank: int, world_size: int, parts: Iterable[Part]) -> FileRecord:
    """Rank's shard, on the disk when this returns, and its sidecar; neither by halves.

    Raises OSError where the disk is full, ValueError for a key that comes twice or a dtype
    that a checkpoint cannot hold.
    """
    path = folder / shard_name(rank, world_size)
    digest, size_bytes = hashlib.sha256(), 0
    with durable(path) as file:
        for block in _content(parts):
            file.write(block)
            digest.update(block)
            size_bytes += len(block)
    record = FileRecord(size_bytes=size_bytes, sha256=digest.hexdigest())
    with durable(_sidecar(path)) as file:
        file.write(record.model_dump_json().encode() + b"\n")
    return record


def read_record(folder: Path, rank: int, world_size: int) -> FileRecord:
    """What rank's sidecar says of its shard, which is there in that size.

    Raises CheckpointError naming the shard.
    """
    path = folder / shard_name(rank, world_size)
    try:
        record = FileRecord.model_validate_json(_sidecar(path).read_bytes())
        found = path.stat().st_size
    except FileNotFoundError:
        message = f"{path}: missing: rank {rank} of {world_size} has not written its shard"
        raise CheckpointError(message) from None
    except ValidationError:
        raise CheckpointError(f"{_sidecar(path)}: not a shard's size and hash") from None
    if found != record.size_bytes:
        raise CheckpointError(f"{path}: truncated: {found} bytes, expected {record.size_bytes}")
    return record


def _sidecar(path: Path) -> Path:
    return path.with_suffix(".json")


def _content(parts: Iterable[Part]) -> Iterator[bytes | memoryview]:
    """The file, in pieces: never more than a block of it in memory."""
    # The widest elements first keep every tensor aligned to its own.
    ordered = sorted(parts, key=lambda part: -part.values.element_size())
    yield _header(ordered)
    for part in ordered:
        values = part.values.detach()
        for start in range(0, len(values), _BLOCK):
            block = values[start : start + _BLOCK]
            # A single element may be strided and yet contiguous, which view() does not take.
            dense = torch.empty(len(block), dtype=block.dtype).copy_(block)
            yield dense.view(torch.uint8).numpy().data


def _header(parts: Sequence[Part]) -> bytes:
    """The length of the JSON in 8 bytes, little-endian, and the JSON, padded to a multiple of 8.

    https://huggingface.co/docs/safetensors/index#format
    """
    entries: dict[str, dict[str, object]] = {}
    end = 0
    for part in parts:
        if part.key in entries:
            raise ValueError(f"{part.key} is in this shard twice")
        begin, end = end, end + part.values.numel() * part.values.element_size()
        entries[part.key] = {
            "dtype": code_of(part.values.dtype),
            "shape": [part.values.numel()],
            "data_offsets": [begin, end],
        }
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
