"""GGUF files, mapped into memory: metadata, and tensors located but not read.

Parsed here because `gguf.GGUFReader` builds an array object per vocabulary entry, which takes
seconds, and trusts every count and offset of the file. Format: ggml/docs/gguf.md, versions 2, 3.
"""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from raylm.core.errors import WeightsError
from raylm.models.fingerprint import fingerprint
from raylm.models.gguf_header import HeaderCursor

Value = TypeVar("Value", int, float, str, bool, list[str])


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """`shape` is in PyTorch's order, the row length last; `offset` counts from the file's start."""

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    offset: int

    @property
    def row_bytes(self) -> int:
        block, block_bytes = GGML_QUANT_SIZES[self.kind]
        return self.shape[-1] // block * block_bytes

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape[:-1]) * self.row_bytes


class GgufFile:
    """`metadata` holds Python scalars, strings, lists of strings and numpy arrays of numbers."""

    def __init__(
        self,
        data: mmap.mmap,
        metadata: dict[str, Any],
        tensors: dict[str, GgufTensor],
        fingerprint: str | None = None,
    ) -> None:
        self._data = data
        self.metadata = metadata
        self.tensors = tensors
        self.fingerprint = fingerprint

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises WeightsError naming the file and what is wrong with it."""
        found = fingerprint([path])
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path}: cannot be read: {error}") from None
        try:
            return cls(data, *_parse(HeaderCursor(data)), found)
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}") from None

    def rows(self, name: str) -> npt.NDArray[np.uint8]:
        """The tensor's stored bytes, unread until touched: its shape with row_bytes as the last."""
        tensor = self.tensors[name]
        flat = np.frombuffer(self._data, np.uint8, tensor.size_bytes, tensor.offset)
        return flat.reshape(*tensor.shape[:-1], tensor.row_bytes)

    def get(self, key: str, default: Value) -> Value:
        """The metadata value, or `default` where the key is absent."""
        return self.require(key, type(default)) if key in self.metadata else default

    def require(self, key: str, kind: type[Value]) -> Value:
        if key not in self.metadata:
            raise WeightsError(f"the metadata key {key!r:.80} is missing")
        value = self.metadata[key]
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise WeightsError(
                f"the metadata key {key!r:.80} is {value!r:.80}, not of {kind.__name__}"
            )
        return value


def _parse(header: HeaderCursor) -> tuple[dict[str, Any], dict[str, GgufTensor]]:
    try:
        tensor_count, pair_count = header.preamble()
        metadata = header.metadata(pair_count)
        found = [_tensor(header) for _ in range(tensor_count)]
    except struct.error:
        raise WeightsError(f"truncated: the header goes past byte {header.end}") from None
    except UnicodeDecodeError:
        raise WeightsError(f"corrupt: a string near byte {header.at} is not UTF-8") from None
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 8 or alignment & (alignment - 1):
        raise WeightsError(f"corrupt: general.alignment {alignment!r} is not a power of two >= 8")
    start = -(-header.at // alignment) * alignment
    tensors: dict[str, GgufTensor] = {}
    for tensor, relative in found:
        if tensor.name in tensors:
            raise WeightsError(f"corrupt: tensor {tensor.name!r:.80} appears twice")
        tensors[tensor.name] = _place(tensor, start + relative, header.end)
    return metadata, tensors


def _tensor(header: HeaderCursor) -> tuple[GgufTensor, int]:
    """One entry of the tensor table, and its offset within the data section."""
    name = header.string()
    dims = header.number("I")
    if not 1 <= dims <= 4:
        raise WeightsError(f"corrupt: tensor {name!r:.80} has {dims} dimensions")
    shape = tuple(header.number("Q") for _ in range(dims))[::-1]
    number = header.number("I")
    try:
        kind = GGMLQuantizationType(number)
    except ValueError:
        raise WeightsError(f"tensor {name!r:.80} is of the unknown kind {number}") from None
    block = GGML_QUANT_SIZES[kind][0]
    if min(shape) < 1 or shape[-1] % block:
        raise WeightsError(
            f"corrupt: tensor {name!r:.80} of kind {kind.name} has the shape {shape}"
        )
    return GgufTensor(name, shape, kind, 0), header.number("Q")


def _place(tensor: GgufTensor, offset: int, file_bytes: int) -> GgufTensor:
    end = offset + tensor.size_bytes
    if end > file_bytes:
        raise WeightsError(
            f"truncated: tensor {tensor.name!r:.80} ends at byte {end}, the file has {file_bytes}"
        )
    return GgufTensor(tensor.name, tensor.shape, tensor.kind, offset)
