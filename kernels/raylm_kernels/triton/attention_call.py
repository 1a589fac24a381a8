"""The arguments that all attention kernels have: queries, keys and values, and who sees whom."""

from dataclasses import dataclass, replace
from math import e, log2
from typing import Any

import torch
import triton
from torch import Tensor

from raylm_kernels.triton.launched import IS_INTERPRETED, dot_precision

_LARGEST_HEAD = 256


def takes(q: Tensor, k: Tensor, v: Tensor, scale: float) -> bool:
    is_alike = q.dtype == k.dtype == v.dtype
    return is_alike and q.numel() > 0 and q.shape[-1] <= _LARGEST_HEAD and scale >= 0


def is_hopper() -> bool:
    """Of the GPU that is compiled for: a program has 227 KiB there, and 99 KiB on others."""
    if IS_INTERPRETED:
        return False
    target = triton.runtime.driver.active.get_current_target()
    return bool(target.backend == "cuda" and target.arch >= 90)


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
        self.q, self.k, self.v = map(_in_rows, (q_BTHD, k_BSKD, v_BSKD))
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

    def arguments(self, lists: Lists | None = None) -> dict[str, Any]:
        """Scores are kept times log2(e), for exp2: `gain` is what the products of queries and keys
        are multiplied by, or their tanh, before which they are multiplied by `bend`."""
        strides = {
            f"{name}_{part}": tensor.stride(place)
            for name, tensor in (("q", self.q), ("k", self.k), ("v", self.v))
            for place, part in enumerate(("batch", "row", "head"))
        }
        return {
            "q_ptr": self.q,
            "k_ptr": self.k,
            "v_ptr": self.v,
            "begin_ptr": self.sequences and self.sequences.begin,
            "end_ptr": self.sequences and self.sequences.end,
            "lists_ptr": lists and lists.places,
            "counts_ptr": lists and lists.counts,
            "list_heads": len(lists.places) if lists else None,
            "longest": lists.places.shape[-1] if lists else None,
            "BLOCK_SIZE": lists.size if lists else 1,
            **strides,
            "heads": self.heads,
            "group": self.heads // self.kv_heads,
            "queries": self.queries,
            "keys": self.keys,
            "WIDTH": self.width,
            "window": min(self.window, self.keys + self.queries) or None,
            "gain": log2(e) * (self.softcap or self.scale),
            "bend": self.scale / self.softcap if self.softcap else None,
            "CAUSAL": self.causal,
            "BLOCK_D": self.padded_width,
            "PRECISION": dot_precision(self.q.dtype),
        }


def _power_of_2(size: int) -> int:
    """At least what `tl.dot` takes."""
    return max(16, triton.next_power_of_2(size))


def _in_rows(tensor: Tensor) -> Tensor:
    """The same numbers, those of a head side by side."""
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()
