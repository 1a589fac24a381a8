"""Writing GGUF: llama.cpp's names, layouts and metadata for the models of `raylm.models`.

The llama family stores each query and key head with its two rotary halves interleaved;
the qwen families keep Hugging Face's order. Matrices are F16, Q8_0 or Q4_0, whose embedding and
head are Q8_0; vectors stay F32.
"""

from pathlib import Path
from typing import Literal

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as Kind

from raylm.checkpoint.gguf_tokenizer import add_tokenizer
from raylm.models.hf_config import hf_config
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm.nn.rope_scaling import LinearScaling, YarnScaling, inverse_frequencies

_QUANTISED_ROW = 32
_VOCABULARY = ("token_embd.", "output.")


def write_gguf(path: Path, model: ModelSource, matrices: Literal["f16", "q8_0", "q4_0"]) -> None:
    """Raises UsageError for a tokenizer GGUF has no name for."""
    arch = architecture(model.spec)
    writer = gguf.GGUFWriter(None, arch)
    _add_shape(writer, model.spec)
    add_tokenizer(writer, model.tokenizer, model.spec.vocab_size)
    writer.add_name(model.name)
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{matrices.upper()}"])
    if model.chat_template is not None:
        writer.add_chat_template(model.chat_template.source)
    _add_tensors(writer, model, Kind[matrices.upper()])
    draft = path.with_name(path.name + ".part")
    writer.write_header_to_file(draft)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def architecture(spec: ModelSpec) -> str:
    """The llama.cpp architecture with the mathematics of `spec`."""
    return str(hf_config(spec)["model_type"]).replace("mistral", "llama")


def interleave(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Row i of a head to row 2i, row i + D/2 to row 2i + 1."""
    halves = rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _add_shape(writer: gguf.GGUFWriter, spec: ModelSpec) -> None:
    writer.add_context_length(spec.max_positions)
    writer.add_embedding_length(spec.hidden_size)
    writer.add_block_count(spec.num_layers)
    writer.add_feed_forward_length(spec.intermediate_size)
    writer.add_head_count(spec.num_heads)
    writer.add_head_count_kv(spec.num_kv_heads)
    writer.add_key_length(spec.head_dim)
    writer.add_value_length(spec.head_dim)
    writer.add_rope_dimension_count(spec.head_dim)
    writer.add_rope_freq_base(spec.rope_theta)
    writer.add_layer_norm_rms_eps(spec.norm_eps)
    writer.add_vocab_size(spec.vocab_size)
    match spec.rope_scaling:
        case LinearScaling(factor):
            writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(factor)
        case YarnScaling(factor, original):
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
            writer.add_rope_scaling_factor(factor)
            writer.add_rope_scaling_orig_ctx_len(original)


def _add_tensors(writer: gguf.GGUFWriter, model: ModelSource, matrices: Kind) -> None:
    spec = model.spec
    arch = architecture(spec)
    number = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[arch]
    names = gguf.get_tensor_name_map(number, spec.num_layers)
    heads = {"q_proj": spec.num_heads, "k_proj": spec.num_kv_heads} if arch == "llama" else {}
    for name, _ in spec.parameters():
        values = model.weights[name].float().numpy()
        module, parameter = name.rsplit(".", 1)
        if (projection := module.rsplit(".", 1)[-1]) in heads:
            values = interleave(values, heads[projection])
        _add_tensor(writer, f"{names.get_name(module)}.{parameter}", values, matrices)
    if spec.rope_scaling is not None and not isinstance(
        spec.rope_scaling, LinearScaling | YarnScaling
    ):
        plain = inverse_frequencies(spec.head_dim, spec.rope_theta, None)
        scaled = inverse_frequencies(spec.head_dim, spec.rope_theta, spec.rope_scaling)
        writer.add_tensor("rope_freqs.weight", (plain / scaled).numpy())


def _add_tensor(
    writer: gguf.GGUFWriter, name: str, values: npt.NDArray[np.float32], matrices: Kind
) -> None:
    kind = matrices if values.ndim == 2 else Kind.F32
    if kind is Kind.Q4_0 and name.startswith(_VOCABULARY):
        kind = Kind.Q8_0
    if kind in (Kind.Q8_0, Kind.Q4_0) and values.shape[-1] % _QUANTISED_ROW:
        kind = Kind.F16
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
