"""The part of llama.cpp's C interface that a decode loop needs, out of xllamacpp's library.

The layout of the structs is that of llama.cpp b11549, which `make peers` installs; llama.h.
"""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, c_bool, c_float, c_int, c_int8, c_int32, c_size_t, c_uint32
from pathlib import Path
from typing import Any

import numpy as np
import xllamacpp

Pointer = ctypes.c_void_p


def _fields(kind: Any, names: str) -> list[tuple[str, Any]]:
    return [(name, kind) for name in names.split()]


class ModelParams(Structure):
    _fields_ = (
        *_fields(Pointer, "devices tensor_buft_overrides"),
        *_fields(c_int32, "n_gpu_layers"),
        *_fields(c_int, "split_mode load_mode lazy_mode"),
        *_fields(c_int32, "main_gpu"),
        *_fields(Pointer, "tensor_split progress progress_data kv_overrides"),
        *_fields(c_bool, "vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp"),
    )


class ContextParams(Structure):
    _fields_ = (
        *_fields(c_uint32, "n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max"),
        *_fields(c_uint32, "n_outputs_max_per_seq"),
        *_fields(c_int32, "n_threads n_threads_batch"),
        *_fields(c_int, "ctx_type rope_scaling_type pooling_type attention_type flash_attn_type"),
        *_fields(c_float, "rope_freq_base rope_freq_scale yarn_ext yarn_attn yarn_fast yarn_slow"),
        *_fields(c_uint32, "yarn_orig_ctx"),
        *_fields(c_float, "defrag_thold"),
        *_fields(Pointer, "cb_eval cb_eval_data"),
        *_fields(c_int, "type_k type_v"),
        *_fields(c_size_t, "moe_cache_size"),
        *_fields(Pointer, "abort abort_data"),
        *_fields(c_bool, "embeddings offload_kqv no_perf op_offload swa_full kv_unified"),
        *_fields(Pointer, "samplers"),
        *_fields(c_size_t, "n_samplers"),
        *_fields(Pointer, "ctx_other"),
    )


class Batch(Structure):
    _fields_ = (
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", Pointer),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    )


def library() -> ctypes.CDLL:
    """Raises SystemExit where the defaults are not where this layout has them."""
    (path,) = Path(xllamacpp.__file__).parent.glob("*.so")
    lib = ctypes.CDLL(str(path))
    lib.llama_model_default_params.restype = ModelParams
    lib.llama_context_default_params.restype = ContextParams
    lib.llama_model_load_from_file.restype = Pointer
    lib.llama_model_load_from_file.argtypes = [ctypes.c_char_p, ModelParams]
    lib.llama_model_get_vocab.restype = Pointer
    lib.llama_model_get_vocab.argtypes = [Pointer]
    lib.llama_vocab_n_tokens.argtypes = [Pointer]
    lib.llama_init_from_model.restype = Pointer
    lib.llama_init_from_model.argtypes = [Pointer, ContextParams]
    lib.llama_batch_init.restype = Batch
    lib.llama_get_memory.restype = Pointer
    lib.llama_get_memory.argtypes = [Pointer]
    lib.llama_memory_clear.argtypes = [Pointer, c_bool]
    lib.llama_decode.argtypes = [Pointer, Batch]
    lib.llama_get_logits_ith.restype = POINTER(c_float)
    lib.llama_get_logits_ith.argtypes = [Pointer, c_int32]
    context, model = lib.llama_context_default_params(), lib.llama_model_default_params()
    found = (context.n_ctx, context.n_ubatch, context.type_k, model.use_extra_bufts)
    if found != (512, 512, 1, True):
        raise SystemExit(f"xllamacpp {xllamacpp.__version__} has another layout; run: make peers")
    lib.llama_backend_init()
    return lib


class Context:
    """A model with room in its cache for so many sequences of so many tokens."""

    def __init__(self, model: "Model", sequences: int, length: int, threads: int) -> None:
        self._lib, self._vocab_size = model.lib, model.vocab_size
        params = self._lib.llama_context_default_params()
        params.n_ctx = sequences * length
        params.n_batch = params.n_ubatch = 512
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        self._handle = self._lib.llama_init_from_model(model.handle, params)
        if not self._handle:
            raise SystemExit(f"llama.cpp makes no context of {sequences} x {length} tokens")
        self._batch = self._lib.llama_batch_init(512, 0, 1)

    def clear(self) -> None:
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._handle), True)

    def decode(
        self,
        tokens: Sequence[int],
        positions: Sequence[int],
        sequences: Sequence[int],
        wanted: Sequence[bool],
    ) -> None:
        batch = self._batch
        batch.n_tokens = len(tokens)
        entries = zip(tokens, positions, sequences, wanted, strict=True)
        for row, (token, position, sequence, logits) in enumerate(entries):
            batch.token[row] = token
            batch.pos[row] = position
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = sequence
            batch.logits[row] = logits
        if code := self._lib.llama_decode(self._handle, batch):
            raise SystemExit(f"llama_decode returned {code}")

    def logits(self, row: int) -> np.ndarray:
        """Of a row that was wanted in the last `decode`; a view of llama.cpp's memory."""
        found = self._lib.llama_get_logits_ith(self._handle, row)
        return np.ctypeslib.as_array(found, (self._vocab_size,))


class Model:
    def __init__(self, path: Path) -> None:
        self.lib = library()
        params = self.lib.llama_model_default_params()
        self.handle = self.lib.llama_model_load_from_file(str(path).encode(), params)
        if not self.handle:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.vocab_size = self.lib.llama_vocab_n_tokens(self.lib.llama_model_get_vocab(self.handle))
