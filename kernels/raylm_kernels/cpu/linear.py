"""A linear layer over packed int4 or int8 weights: x W^T for a handful of rows or many."""

import threading
import weakref
from collections.abc import MutableMapping
from ctypes import byref, c_double, c_uint64
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from raylm_kernels.cpu.binding import packed_rows
from raylm_kernels.cpu.build import best_isa, library
from raylm_kernels.cpu.compiled import compiled
from raylm_kernels.quantize import QuantizedWeight
from raylm_kernels.reference import linear


class PackedLinear:
    """`weight` is repacked for streaming; activations are quantised to int8 per 32 on the way."""

    def __init__(
        self, weight: QuantizedWeight, *, threads: int = 1, isa: str | None = None
    ) -> None:
        self.out_features, self.in_features = weight.codes.shape
        if self.out_features % 32:
            raise ValueError(
                f"weight has {self.out_features} rows; PackedLinear takes multiples of 32"
            )
        self._library = library(isa or best_isa())
        bits = 8 if weight.minima is None else 4
        self._handle = self._library.raylm_linear_create(
            self.out_features, self.in_features, bits, threads, byref(packed_rows(weight))
        )
        weakref.finalize(self, self._library.raylm_linear_free, self._handle)

    @property
    def weight_bytes(self) -> int:
        """Codes and scales, as they are streamed."""
        return int(self._library.raylm_linear_weight_bytes(self._handle))

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        if x_NK.ndim != 2 or x_NK.shape[1] != self.in_features:
            raise ValueError(f"x: expected shape [N, {self.in_features}], found {list(x_NK.shape)}")
        x = x_NK.float().contiguous()
        y = x.new_empty(len(x), self.out_features)
        self._library.raylm_linear_forward(self._handle, x.data_ptr(), len(x), y.data_ptr())
        return y

    def read_weights(self, streams: int = 1) -> int:
        """Stream the weights and do nothing else, in 1 or 4 places at once: the faster of the two
        is a benchmark's bound."""
        checksum = c_uint64()
        self._library.raylm_linear_read(self._handle, streams, byref(checksum))
        return checksum.value


def peak_products(bits: int) -> float:
    """Products of weights of 4 or 8 bits that one thread makes in a second from the first cache:
    the bound of what lies in cache."""
    a_second = c_double()
    library(best_isa()).raylm_peak_products(bits, byref(a_second))
    return a_second.value


_lock = threading.Lock()
_packed: MutableMapping[Tensor, "_Packing"] = WeakIdKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Packing:
    """Of codes with these scales and minima. `state`: versions of all, threads and instruction set
    they were packed for."""

    linear: PackedLinear
    scales: weakref.ref[Tensor]
    minima: weakref.ref[Tensor] | None
    state: tuple[tuple[int, ...], int, str]

    def is_of(self, scales: Tensor, minima: Tensor | None, state: tuple[object, ...]) -> bool:
        own_minima = None if self.minima is None else self.minima()
        return self.scales() is scales and own_minima is minima and self.state == state


def _takes(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> bool:
    has_half = scales.dtype == torch.half and (minima is None or minima.dtype == torch.half)
    return has_half and codes.shape[0] % 32 == 0 and x.numel() > 0


@compiled(linear.quantized_linear, _takes)
def quantized_linear(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    """Weights are packed, which takes as much memory again, for as long as `codes` lives."""
    y = _pack(codes, scales, minima)(x.reshape(-1, x.shape[-1]))
    return y.view(*x.shape[:-1], codes.shape[0])


def _pack(codes: Tensor, scales: Tensor, minima: Tensor | None) -> PackedLinear:
    threads, isa = torch.get_num_threads(), best_isa()
    versions = tuple(_version(t) for t in (codes, scales, minima) if t is not None)
    with _lock:
        known = _packed.get(codes)
        if known is None or not known.is_of(scales, minima, (versions, threads, isa)):
            weight = QuantizedWeight(
                codes.contiguous(),
                scales.contiguous(),
                None if minima is None else minima.contiguous(),
            )
            known = _Packing(
                PackedLinear(weight, threads=threads, isa=isa),
                weakref.ref(scales),
                None if minima is None else weakref.ref(minima),
                (versions, threads, isa),
            )
            _packed[codes] = known
        return known.linear


def _version(tensor: Tensor) -> int:
    """Changes in place are counted, but not those of a tensor made in inference mode."""
    return 0 if tensor.is_inference() else tensor._version
