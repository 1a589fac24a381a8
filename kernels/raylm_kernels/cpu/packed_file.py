"""A decoder's packed weights as a file, the same for any number of threads.

    format, size and checksum of the header | header, in JSON | vectors | matrices

Matrices lie whole, in the order in which a token needs them (csrc/packed.h). The header names what
was packed, and has a checksum of the vectors and one of each matrix. They find whatever a failing
disk or a lost power leaves, so that nobody waits until a file has reached the disk.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import Array, c_uint8, memset
from typing import Any, BinaryIO

import torch

Vector = tuple[int, int, torch.Tensor]
"""Kind, layer, fp32 values."""

Shares = Sequence[Array[c_uint8]]
"""Of a matrix: each thread's memory for its rows."""

FORMAT = b"raylm packed 1\n\0"
_START = struct.Struct("<16sII")
_MOST_HEADER_BYTES = 1 << 26


class DamagedError(ValueError):
    """Not a whole file of the weights that were asked for; the message says why."""


def write(
    file: BinaryIO, identity: str, vectors: Sequence[Vector], matrices: Sequence[Shares]
) -> None:
    flat = b"".join(values.numpy().tobytes() for _, _, values in vectors)
    header = json.dumps(
        {
            "identity": identity,
            "vectors": [[kind, layer, len(values)] for kind, layer, values in vectors],
            "vectors_sum": zlib.crc32(flat),
            "matrices": [[_size(shares), _sum(shares)] for shares in matrices],
        }
    ).encode()
    file.write(_START.pack(FORMAT, len(header), zlib.crc32(header)))
    file.write(header)
    file.write(flat)
    for shares in matrices:
        for share in shares:
            file.write(share)
    file.flush()


def read(file: BinaryIO, identity: str, matrices: Sequence[Shares]) -> list[Vector]:
    """Fills `matrices`, and returns the vectors. Raises DamagedError, and leaves zeros."""
    try:
        return _read(file, identity, matrices)
    except BaseException:
        for shares in matrices:
            for share in shares:
                memset(share, 0, len(share))
        raise


def size_bytes(matrices: Sequence[Shares]) -> int:
    """Of a file with these matrices, about."""
    return sum(map(_size, matrices))


def _read(file: BinaryIO, identity: str, matrices: Sequence[Shares]) -> list[Vector]:
    header = _read_header(file)
    _require(header["identity"] == identity, "it holds other weights")
    counts = [count for _, _, count in header["vectors"]]
    sizes = [size for size, _ in header["matrices"]]
    _require(sizes == [_size(shares) for shares in matrices], "its matrices have other sizes")
    vectors_at = file.tell()
    matrices_at = vectors_at + 4 * sum(counts)
    expected = matrices_at + size_bytes(matrices)
    found = os.fstat(file.fileno()).st_size
    _require(found == expected, f"it has {found} bytes, expected {expected}")
    flat = bytearray(file.read(matrices_at - vectors_at))
    _require(zlib.crc32(flat) == header["vectors_sum"], "its vectors are corrupt")
    _fill(file.fileno(), matrices_at, matrices, [total for _, total in header["matrices"]])
    values = iter(torch.split(torch.frombuffer(flat, dtype=torch.float32), counts))
    return [(kind, layer, next(values)) for kind, layer, _ in header["vectors"]]


def _read_header(file: BinaryIO) -> dict[str, Any]:
    start = file.read(_START.size)
    _require(len(start) == _START.size, f"it has {len(start)} bytes")
    form, size, total = _START.unpack(start)
    _require(form == FORMAT, f"its format is {form!r}, expected {FORMAT!r}")
    _require(size <= _MOST_HEADER_BYTES, f"its header is said to have {size} bytes")
    header = file.read(size)
    _require(zlib.crc32(header) == total, "its header is corrupt")
    parsed: dict[str, Any] = json.loads(header)
    return parsed


def _fill(file: int, at: int, matrices: Sequence[Shares], sums: Sequence[int]) -> None:
    """The work is divided by matrices among as many threads as the decoder has."""

    def read_matrix(offset: int, shares: Shares, expected: int) -> None:
        place = offset
        for share in shares:
            _read_exactly(file, place, memoryview(share))
            place += len(share)
        _require(_sum(shares) == expected, f"it is corrupt after byte {offset}")

    with ThreadPoolExecutor(len(matrices[0])) as pool:
        list(pool.map(read_matrix, _offsets(at, matrices), matrices, sums))  # raises what it raises


def _read_exactly(file: int, at: int, memory: memoryview) -> None:
    while len(memory):
        count = os.preadv(file, [memory], at)
        _require(count > 0, f"it ends at byte {at}")
        memory, at = memory[count:], at + count


def _offsets(at: int, matrices: Sequence[Shares]) -> Iterator[int]:
    for shares in matrices:
        yield at
        at += _size(shares)


def _size(shares: Shares) -> int:
    return sum(map(len, shares))


def _sum(shares: Shares) -> int:
    total = 0
    for share in shares:
        total = zlib.crc32(share, total)
    return total


def _require(ok: bool, why: str) -> None:
    if not ok:
        raise DamagedError(why)
