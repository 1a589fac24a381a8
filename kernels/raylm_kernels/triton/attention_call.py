"""The arguments that all attention kernels have: queries, keys and values, and who sees whom."""

from dataclasses import dataclass, replace
from math import e, log2
from typing import Any

import torch
import triton
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from raylm_kernels.triton.capacity import targets_hopper
from raylm_kernels.triton.launched import dot_precision

_LARGEST_HEAD = 256
_EVEN = 16  # bytes


def takes(q: Tensor, k: Tensor, v: Tensor, scale: float) -> bool:
    is_alike = q.dtype == k.dtype == v.dtype
    return is_alike and q.numel() > 0 and q.shape[-1] <= _LARGEST_HEAD and scale >= 0


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows of a tile of queries, `m`, and of one of keys, `n`."""

    m: int
    n: int
    warps: int
    stages: int

    def fitting(self, call: "AttentionCall", lists: "Lists | None") -> "Tile":
        """No larger than what there is; whole ones make up a block, where blocks are listed."""
        most_m, most_n = _power_of_2(call.queries), _power_of_2(call.keys)
        if lists is not None:
            most_m = most_n = lists.size & -lists.size
        return replace(self, m=min(self.m, most_m), n=min(self.n, most_n))

    def arguments(self) -> dict[str, int]:
        sizes = {"BLOCK_M": self.m, "BLOCK_N": self.n}
        return sizes | {"num_warps": self.warps, "num_stages": self.stages}


@dataclass(frozen=True, slots=True)
class Sequences:
    """Where the sequence of each position begins and ends, where several are packed in a row."""

    begin: Tensor
    end: Tensor


@dataclass(frozen=True, slots=True)
class Lists:
    """Of blocks of `size`, for each of the mask's heads and each block on the other side: see
    `block_sparse_lists`."""

    places: Tensor
    counts: Tensor
    size: int


class AttentionCall:
    def __init__(
        self,
        q_BTHD: Tensor,
        k_BSKD: Tensor,
        v_BSKD: Tensor,
        causal: bool,
        scale: float,
        window: int = 0,
        softcap: float = 0.0,
        sequences: Sequences | None = None,
    ) -> None:
        self.q, self.k, self.v = map(in_rows, (q_BTHD, k_BSKD, v_BSKD))
        self.batch, self.queries, self.heads, self.width = self.q.shape
        self.keys, self.kv_heads = self.k.shape[1:3]
        self.causal, self.window, self.softcap = causal, window, softcap
        self.scale = scale or self.width**-0.5
        self.sequences = sequences

    @property
    def padded_width(self) -> int:
        return _power_of_2(self.width)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.q, self.k, self.v

    def per_row(self) -> Tensor:
        """Room for a number of each query of each head."""
        shape = self.batch, self.heads, self.queries
        return torch.empty(shape, dtype=torch.float32, device=self.q.device)

    def arguments(
        self, tile: Tile, lists: Lists | None, streams: str, grad: Tensor | None = None
    ) -> dict[str, Any]:
        """`streams`: which of q, k, v and grad (g) the copy engine of Hopper loads, if it can. What
        a program loads but once is multiplied from registers then, and from shared memory else.

        Scores are kept times log2(e), for exp2: `gain` is what the products of queries and keys are
        multiplied by, or their tanh, before which they are multiplied by `bend`."""
        return {
            **tile.arguments(),
            **self._rows(tile, grad, streams),
            "begin_ptr": self.sequences and self.sequences.begin,
            "end_ptr": self.sequences and self.sequences.end,
            "lists_ptr": lists and lists.places,
            "counts_ptr": lists and lists.counts,
            "list_heads": lists and len(lists.places),
            "longest": lists and lists.places.shape[-1],
            "BLOCK_SIZE": lists.size if lists else 1,
            "heads": self.heads,
            "group": self.heads // self.kv_heads,
            "queries": self.queries,
            "keys": self.keys,
            "window": min(self.window, self.keys + self.queries) or None,
            "gain": log2(e) * (self.softcap or self.scale),
            "bend": self.scale / self.softcap if self.softcap else None,
            "CAUSAL": self.causal,
            "WIDTH": self.width,
            "BLOCK_D": self.padded_width,
            "PRECISION": dot_precision(self.q.dtype),
        }

    def _rows(self, tile: Tile, grad: Tensor | None, streams: str) -> dict[str, Any]:
        tensors = {"q": self.q, "k": self.k, "v": self.v}
        if grad is not None:
            tensors["grad"] = grad
        sources = {
            f"{name}_ptr": self._stream(tensor, tile.n if name in "kv" else tile.m)
            if name[0] in streams
            else tensor
            for name, tensor in tensors.items()
        }
        strides = {
            f"{name}_{part}": tensor.stride(place)
            for name, tensor in (("q", self.q), ("k", self.k), ("v", self.v))
            for place, part in enumerate(("batch", "row", "head"))
        }
        width = self.heads * self.width
        return {**sources, **strides, "out_batch": self.queries * width, "out_row": width}

    def _stream(self, tensor: Tensor, rows: int) -> Tensor | TensorDescriptor:
        """What tiles are loaded from: on Hopper by its copy engine (TMA), if that takes it."""
        strides = [stride * tensor.itemsize for stride in tensor.stride()[:-1]]
        fits = all(0 < stride < 2**40 and stride % _EVEN == 0 for stride in strides)
        if tensor.numel() == 0 or not fits or not targets_hopper():
            return tensor
        box = [1, rows, 1, self.padded_width]
        return TensorDescriptor(tensor, list(tensor.shape), list(tensor.stride()), box)


def in_fp32(width: int) -> Tile:
    """Tiles of whatever goes through them, whose numbers take twice the room and no tensor core."""
    return Tile(32, 32, 8, 1) if width <= 128 else Tile(16, 16, 8, 1)


def in_rows(tensor: Tensor) -> Tensor:
    """The same numbers, those of a head side by side, from an even address on."""
    if tensor.stride(-1) != 1:
        return tensor.contiguous()
    return tensor.clone() if tensor.data_ptr() % _EVEN else tensor


def _power_of_2(size: int) -> int:
    """At least what `tl.dot` takes."""
    return max(16, int(triton.next_power_of_2(size)))
