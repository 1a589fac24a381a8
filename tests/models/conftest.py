"""Tiny models in both file formats, written by libraries other than ours."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from tokenizers.pre_tokenizers import ByteLevel

from raylm.models.spec import ModelSpec

GgufWriter = Callable[..., Path]

_MODULES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "model.layers": "blk",
}


def _gguf_name(name: str) -> str:
    for ours, theirs in _MODULES.items():
        name = name.replace(ours, theirs)
    return name


def _interleave(array: np.ndarray, heads: int) -> np.ndarray:
    """convert_hf_to_gguf.py's LlamaModel.permute."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return halves.swapaxes(1, 2).reshape(array.shape)


@pytest.fixture
def tiny_spec() -> ModelSpec:
    """Rows of 256 values, so that every GGUF kind can store every matrix."""
    return ModelSpec(
        vocab_size=320,
        hidden_size=256,
        intermediate_size=256,
        num_layers=2,
        num_heads=8,
        num_kv_heads=2,
        head_dim=32,
        max_positions=128,
    )


@pytest.fixture
def vocabulary() -> dict[str, object]:
    """A byte-level vocabulary of 320 tokens as GGUF metadata."""
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet())]
    merges = ["Ġ t", "h e", "Ġt he", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or"]
    tokens += [merge.replace(" ", "") for merge in merges]
    tokens += [f"unused{i}" for i in range(320 - len(tokens))]
    kinds = [
        3 if i < 3 else 5 if token.startswith("unused") else 1 for i, token in enumerate(tokens)
    ]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}{{ m.content }}\n{% endfor %}",
    }


@pytest.fixture
def write_gguf(tmp_path: Path, vocabulary: dict[str, object]) -> GgufWriter:
    """Writes a state dict with the `gguf` library, quantised as `kind` where it is a matrix.

    `blocks` gives a matrix's stored bytes instead.
    """

    def write(
        spec: ModelSpec,
        state: dict[str, torch.Tensor],
        *,
        arch: str = "llama",
        kind: GGMLQuantizationType = GGMLQuantizationType.F32,
        metadata: dict[str, object] | None = None,
        blocks: dict[str, np.ndarray] | None = None,
        rope_factors: list[float] | None = None,
    ) -> Path:
        path = tmp_path / f"{arch}-{kind.name}.gguf"
        writer = gguf.GGUFWriter(path, arch)
        for key, value in {**_shape(spec, arch), **vocabulary, **(metadata or {})}.items():
            _add(writer, key, value)
        for name, tensor in state.items():
            array = tensor.float().numpy()
            if arch == "llama" and "q_proj" in name:
                array = _interleave(array, spec.num_heads)
            if arch == "llama" and "k_proj" in name:
                array = _interleave(array, spec.num_kv_heads)
            its_kind = kind if array.ndim == 2 else GGMLQuantizationType.F32
            if blocks is not None and name in blocks:
                stored = blocks[name]
            else:
                stored = gguf.quants.quantize(np.ascontiguousarray(array), its_kind)
            writer.add_tensor(_gguf_name(name), stored, raw_dtype=its_kind)
        if rope_factors is not None:
            writer.add_tensor("rope_freqs.weight", np.array(rope_factors, dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


def _shape(spec: ModelSpec, arch: str) -> dict[str, object]:
    return {
        f"{arch}.block_count": spec.num_layers,
        f"{arch}.context_length": spec.max_positions,
        f"{arch}.embedding_length": spec.hidden_size,
        f"{arch}.feed_forward_length": spec.intermediate_size,
        f"{arch}.attention.head_count": spec.num_heads,
        f"{arch}.attention.head_count_kv": spec.num_kv_heads,
        f"{arch}.attention.key_length": spec.head_dim,
        f"{arch}.attention.layer_norm_rms_epsilon": spec.norm_eps,
        f"{arch}.rope.freq_base": spec.rope_theta,
    }


def _add(writer: gguf.GGUFWriter, key: str, value: object) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case list():
            writer.add_array(key, value)
        case _:
            raise TypeError(key)
