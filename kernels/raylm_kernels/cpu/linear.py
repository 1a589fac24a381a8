"""A linear layer over packed int4 or int8 weights: x W^T for a handful of rows or many."""

import weakref
from ctypes import byref

import torch

from raylm_kernels.cpu.binding import packed_rows
from raylm_kernels.cpu.build import best_isa, library
from raylm_kernels.quantize import QuantizedWeight


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
        if not self._handle:
            raise MemoryError(self._library.raylm_last_error().decode())
        weakref.finalize(self, self._library.raylm_linear_free, self._handle)

    @property
    def weight_bytes(self) -> int:
        """Codes and scales, as they are streamed."""
        return int(self._library.raylm_linear_weight_bytes(self._handle))

    def __call__(self, x_NK: torch.Tensor) -> torch.Tensor:
        if x_NK.ndim != 2 or x_NK.shape[1] != self.in_features:
            raise ValueError(f"x: expected shape [N, {self.in_features}], found {list(x_NK.shape)}")
        x = x_NK.float().contiguous()
        y = torch.empty(len(x), self.out_features)
        self._library.raylm_linear_forward(self._handle, x.data_ptr(), len(x), y.data_ptr())
        return y

    def read_weights(self) -> int:
        """Stream the weights and do nothing else: the probe for a benchmark's bound."""
        return int(self._library.raylm_linear_read(self._handle))
