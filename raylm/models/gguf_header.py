"""Reading the variable-length part of a GGUF file, checked against the file's end at every step."""

import mmap
import struct
from typing import Any

import numpy as np

from raylm.core.errors import WeightsError

_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_LENGTH = struct.Struct("<Q")

# The fewest bytes each can take: bounds what a corrupt count can make us allocate.
_PAIR_BYTES, _TENSOR_BYTES = 13, 32


class HeaderCursor:
    """Reads forward from `at`; past the end, numbers raise struct.error, the rest WeightsError."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.at = 0
        self.end = len(data)

    def preamble(self) -> tuple[int, int]:
        """The numbers of tensors and of metadata pairs."""
        if self._data[:4] != b"GGUF":
            raise WeightsError("not a GGUF file: it does not start with 'GGUF'")
        self.at = 4
        version = self.number("I")
        if version not in (2, 3):
            raise WeightsError(f"GGUF version {version} is not one of 2, 3 (little-endian)")
        tensors, pairs = self.number("Q"), self.number("Q")
        self._expect(tensors, _TENSOR_BYTES, "tensors")
        self._expect(pairs, _PAIR_BYTES, "metadata pairs")
        return tensors, pairs

    def metadata(self, pairs: int) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = self.string()
            if key in metadata:
                raise WeightsError(f"corrupt: the metadata key {key!r:.80} appears twice")
            metadata[key] = self._value(self.number("I"), key)
        return metadata

    def number(self, layout: str) -> Any:
        (value,) = struct.unpack_from("<" + layout, self._data, self.at)
        self.at += struct.calcsize("<" + layout)
        return value

    def string(self) -> str:
        return self._strings(1)[0]

    def _value(self, kind: int, key: str) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._array(self.number("I"), self.number("Q"), key)
        if kind not in _SCALARS:
            raise WeightsError(
                f"corrupt: the metadata key {key!r:.80} is of the unknown type {kind}"
            )
        return self.number(_SCALARS[kind])

    def _array(self, kind: int, count: int, key: str) -> Any:
        if kind == _STRING:
            self._expect(count, _LENGTH.size, f"strings of {key!r:.80}")
            return self._strings(count)
        if kind not in _SCALARS:
            raise WeightsError(f"corrupt: {key!r:.80} is an array of the unknown type {kind}")
        dtype = np.dtype("<" + _SCALARS[kind])
        self._expect(count, dtype.itemsize, f"numbers of {key!r:.80}")
        array = np.frombuffer(self._data, dtype, count, self.at)
        self.at += array.nbytes
        return array

    def _strings(self, count: int) -> list[str]:
        """One tight loop: a vocabulary and its merges are a hundred thousand of them."""
        data, at, end, unpack = self._data, self.at, self.end, _LENGTH.unpack_from
        strings = []
        for _ in range(count):
            (size,) = unpack(data, at)
            at += _LENGTH.size
            if size > end - at:
                raise WeightsError(f"truncated: a string at byte {at} claims {size} bytes")
            strings.append(data[at : at + size].decode())
            at += size
        self.at = at
        return strings

    def _expect(self, count: int, each_bytes: int, what: str) -> None:
        if count * each_bytes > self.end - self.at:
            raise WeightsError(
                f"truncated or corrupt: {count} {what} do not fit into the {self.end - self.at} "
                f"bytes after byte {self.at}"
            )
