"""A decoder over int4 or int8 weights and its paged KV cache: one C++ call per batch."""

import functools
import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from ctypes import Array, byref, c_uint8

import torch

from raylm_kernels.cpu.batch import batch_of, require_no_fault
from raylm_kernels.cpu.binding import (
    BatchStruct,
    FindingStruct,
    LogitsStruct,
    MatrixKind,
    ShapeStruct,
    ShareStruct,
    packed_rows,
)
from raylm_kernels.cpu.build import best_isa, library
from raylm_kernels.cpu.dims import DecoderDims as DecoderDims
from raylm_kernels.cpu.dims import KvBits as KvBits
from raylm_kernels.cpu.packed_file import Vector
from raylm_kernels.cpu.packed_folder import PackedFolder
from raylm_kernels.cpu.packed_identity import identity
from raylm_kernels.cpu.weights import matrices, vectors
from raylm_kernels.quantize import WeightBits, quantize_weight


class PackedDecoder:
    """The whole forward pass of a Llama-family model on `threads` threads (the caller is one).

    `weights` maps Hugging Face names to tensors and is read one matrix at a time; layers are
    kept at `weight_bits`, the head at `head_bits`, an embedding that is not the head at 8. With a
    `fingerprint`, which stands for what they hold, they are read the first time only: once
    packed, they are kept in a file.

    Activations are int8 with a scale per 32; the cache is bf16, or int8 with such scales at
    `kv_bits` of 8. A token's result does not depend, to the bit, on what else is in the batch, on
    how its prompt was cut into chunks, or on the number of threads; keys and values that are not
    finite may reach rows of their chunk that do not see them.
    """

    def __init__(
        self,
        dims: DecoderDims,
        weights: Mapping[str, torch.Tensor],
        *,
        weight_bits: WeightBits,
        threads: int,
        num_blocks: int,
        block_size: int,
        head_bits: WeightBits = 8,
        kv_bits: KvBits = 16,
        isa: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        _at_least_one(threads=threads, num_blocks=num_blocks, block_size=block_size)
        for name, bits in (("weight_bits", weight_bits), ("head_bits", head_bits)):
            if bits not in (4, 8):
                raise ValueError(f"{name} is {bits}; it must be 4 or 8")
        if kv_bits not in (8, 16):
            raise ValueError(f"kv_bits is {kv_bits}; it must be 8 or 16")
        if block_size % 16:
            raise ValueError(f"block_size is {block_size}; it must be a multiple of 16")
        self.dims = dims
        self.weight_bits = weight_bits
        self.head_bits = head_bits
        self.num_blocks = num_blocks
        self.block_size = block_size
        self.isa = isa or best_isa()
        self._library = library(self.isa)
        self._handle = self._library.raylm_decoder_create(
            byref(_shape(dims, weight_bits, head_bits)), threads, num_blocks, block_size, kv_bits
        )
        self._finalizer = weakref.finalize(self, self._library.raylm_decoder_free, self._handle)
        self._lock = threading.Lock()
        self._process = os.getpid()
        pack = functools.partial(self._pack, weights)
        if fingerprint is None:
            self._load_vectors(pack())
        else:
            known_as = identity(fingerprint, dims, weight_bits, head_bits)
            self._load_vectors(PackedFolder().fill(known_as, self._matrices(threads), pack))

    @property
    def weight_bytes(self) -> int:
        """What a forward pass streams from memory, scales and padding included."""
        return int(self._library.raylm_decoder_weight_bytes(self._handle))

    def forward(
        self,
        tokens_N: torch.Tensor,
        positions_N: torch.Tensor,
        sequence_starts_S1: torch.Tensor,
        block_tables_SB: torch.Tensor,
        logit_rows_R: torch.Tensor,
    ) -> torch.Tensor:
        """Append N tokens of S sequences to the cache; fp32 logits_RV of the chosen rows.

        All arguments are contiguous int32 CPU tensors. Sequence s owns the tokens from
        `sequence_starts[s]` to `sequence_starts[s + 1]`; its position p lies in cache block
        `block_tables[s, p // block_size]`. Earlier positions must have been appended before.
        """
        logits_RV = torch.empty(
            len(logit_rows_R), self.dims.vocab_size, dtype=torch.float32, device="cpu"
        )
        self._run(
            batch_of(tokens_N, positions_N, sequence_starts_S1, block_tables_SB, logit_rows_R),
            LogitsStruct(all=logits_RV.data_ptr()),
        )
        return logits_RV

    def forward_top(
        self,
        tokens_N: torch.Tensor,
        positions_N: torch.Tensor,
        sequence_starts_S1: torch.Tensor,
        block_tables_SB: torch.Tensor,
        logit_rows_R: torch.Tensor,
        count: int = 1,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`forward`, of whose logits the `count` largest of each row and their int32 tokens are
        kept while they are computed: R x count, the lower token first among equals. A token is -1
        where fewer are larger than minus infinity; NaN is never among them."""
        if not 1 <= count <= self.dims.vocab_size:
            raise ValueError(f"count is {count}; it must be in [1, {self.dims.vocab_size}]")
        values = torch.empty(logit_rows_R.shape[0], count, dtype=torch.float32, device="cpu")
        tokens = torch.empty(logit_rows_R.shape[0], count, dtype=torch.int32, device="cpu")
        self._run(
            batch_of(tokens_N, positions_N, sequence_starts_S1, block_tables_SB, logit_rows_R),
            LogitsStruct(top=count, values=values.data_ptr(), tokens=tokens.data_ptr()),
        )
        return values, tokens

    def forward_hidden(
        self,
        tokens_N: torch.Tensor,
        positions_N: torch.Tensor,
        sequence_starts_S1: torch.Tensor,
        block_tables_SB: torch.Tensor,
        rows_R: torch.Tensor,
    ) -> torch.Tensor:
        """`forward`, but fp32 hidden_RE of the chosen rows, normed, as the head would read them."""
        hidden_RE = torch.empty(
            len(rows_R), self.dims.hidden_size, dtype=torch.float32, device="cpu"
        )
        self._run(
            batch_of(tokens_N, positions_N, sequence_starts_S1, block_tables_SB, rows_R),
            LogitsStruct(hidden=hidden_RE.data_ptr()),
        )
        return hidden_RE

    def read_weights(self, streams: int = 1) -> int:
        """Stream the weights and do nothing else, in 1 or 4 places at once: the faster of the two
        is a benchmark's bound."""
        return int(self._library.raylm_decoder_read(self._handle, streams))

    def close(self) -> None:
        """Free weights, cache and threads, as the end of the last reference also does."""
        self._finalizer()

    def _run(self, batch: BatchStruct, logits: LogitsStruct) -> None:
        if not self._finalizer.alive:
            raise RuntimeError("this PackedDecoder is closed")
        if os.getpid() != self._process:
            raise RuntimeError("this PackedDecoder belongs to the process that forked this one")
        finding = FindingStruct()
        with self._lock:
            self._library.raylm_decoder_forward(
                self._handle, byref(batch), byref(logits), byref(finding)
            )
        require_no_fault(finding)

    def _matrices(self, threads: int) -> list[list[Array[c_uint8]]]:
        """In the order in which a token needs them: the memory of each thread's rows."""
        count = 4 * self.dims.num_layers + (1 if self.dims.tie_embeddings else 2)
        return [[self._share(index, thread) for thread in range(threads)] for index in range(count)]

    def _share(self, index: int, thread: int) -> Array[c_uint8]:
        share = ShareStruct()
        self._library.raylm_decoder_share(self._handle, index, thread, byref(share))
        memory: Array[c_uint8] = (c_uint8 * share.bytes).from_address(share.data or 0)
        return memory

    def _pack(self, weights: Mapping[str, torch.Tensor]) -> list[Vector]:
        """Fills the matrices; the vectors are returned."""
        bits: dict[MatrixKind, WeightBits] = {
            MatrixKind.HEAD: self.head_bits,
            MatrixKind.EMBEDDING: 8,
        }
        for kind, layer, first_row, rows in matrices(self.dims, weights):
            packed = quantize_weight(rows, bits.get(kind, self.weight_bits))
            self._library.raylm_decoder_load_rows(
                self._handle,
                kind,
                layer,
                first_row,
                len(rows),
                byref(packed_rows(packed)),
            )
        return [
            (kind, layer, values.contiguous())
            for kind, layer, values in vectors(self.dims, weights)
        ]

    def _load_vectors(self, found: Iterable[Vector]) -> None:
        for kind, layer, values in found:
            self._library.raylm_decoder_load_vector(
                self._handle, kind, layer, values.data_ptr(), len(values)
            )


def _shape(dims: DecoderDims, weight_bits: WeightBits, head_bits: WeightBits) -> ShapeStruct:
    return ShapeStruct(
        vocab_size=dims.vocab_size,
        hidden_size=dims.hidden_size,
        intermediate_size=dims.padded_intermediate_size,
        layers=dims.num_layers,
        heads=dims.num_heads,
        kv_heads=dims.num_kv_heads,
        head_dim=dims.head_dim,
        padded_head_dim=dims.padded_head_dim,
        weight_bits=weight_bits,
        head_bits=head_bits,
        tied=dims.tie_embeddings,
        norm_eps=dims.norm_eps,
        rope_factor=dims.rope_attention_factor,
    )


def _at_least_one(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
