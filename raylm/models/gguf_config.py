"""A model's shape as GGUF metadata spells it."""

from raylm.core.errors import WeightsError
from raylm.models.gguf_file import GgufFile
from raylm.models.rope_config import rope_from_gguf
from raylm.models.spec import ModelSpec

_ARCHITECTURES = ("llama", "qwen2", "qwen3")


def spec_from_gguf(file: GgufFile) -> ModelSpec:
    """Raises WeightsError for what the decoder does not do."""
    arch = file.require("general.architecture", str)
    if arch not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise WeightsError(f"the architecture {arch!r} is not one of {known}")
    if file.get("split.count", 1) > 1:
        raise WeightsError(
            "one part of a split model; join the parts with llama-gguf-split --merge"
        )
    if file.get(f"{arch}.expert_count", 0):
        raise WeightsError("mixture-of-experts models are not supported")
    hidden = file.require(f"{arch}.embedding_length", int)
    heads = file.require(f"{arch}.attention.head_count", int)
    head_dim = file.get(f"{arch}.attention.key_length", hidden // max(heads, 1))
    if file.get(f"{arch}.rope.dimension_count", head_dim) != head_dim:
        raise WeightsError("partial rotary embedding is not supported")
    if "token_embd.weight" not in file.tensors:
        raise WeightsError("the tensor 'token_embd.weight' is missing")
    rope_theta, rope_scaling = rope_from_gguf(file, arch)
    return ModelSpec(
        vocab_size=file.tensors["token_embd.weight"].shape[0],
        hidden_size=hidden,
        intermediate_size=file.require(f"{arch}.feed_forward_length", int),
        num_layers=file.require(f"{arch}.block_count", int),
        num_heads=heads,
        num_kv_heads=file.get(f"{arch}.attention.head_count_kv", heads),
        head_dim=head_dim,
        max_positions=file.require(f"{arch}.context_length", int),
        rope_theta=rope_theta,
        rope_scaling=rope_scaling,
        norm_eps=file.require(f"{arch}.attention.layer_norm_rms_epsilon", float),
        qk_norm="blk.0.attn_q_norm.weight" in file.tensors,
        attention_bias="blk.0.attn_q.bias" in file.tensors,
        output_bias="blk.0.attn_output.bias" in file.tensors,
        tie_embeddings="output.weight" not in file.tensors,
    )
