"""A model's shape as Hugging Face's config.json spells it."""

from collections.abc import Mapping
from typing import Any

from raylm.core.errors import WeightsError
from raylm.models.rope_config import rope_from_hf, rope_to_hf
from raylm.models.spec import ModelSpec

_TYPES = ("llama", "mistral", "qwen2", "qwen3")


def spec_from_hf(config: Mapping[str, Any]) -> ModelSpec:
    """Raises WeightsError for what the decoder does not do."""
    kind = config.get("model_type")
    if kind not in _TYPES:
        raise WeightsError(f"config.json: model_type {kind!r} is not one of {', '.join(_TYPES)}")
    try:
        _refuse_unsupported(config)
        fields = _fields(kind, config)
    except KeyError as error:
        raise WeightsError(f"config.json: the key {error} is missing") from None
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise WeightsError(f"config.json: a value of the wrong kind: {error}") from None
    return ModelSpec(**fields)


def _fields(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    rope_theta, rope_scaling = rope_from_hf(config)
    bias = bool(config.get("attention_bias", False))
    return {
        "vocab_size": int(config["vocab_size"]),
        "hidden_size": hidden,
        "intermediate_size": int(config["intermediate_size"]),
        "num_layers": int(config["num_hidden_layers"]),
        "num_heads": heads,
        "num_kv_heads": int(config.get("num_key_value_heads") or heads),
        "head_dim": int(config.get("head_dim") or hidden // heads),
        "max_positions": int(config.get("max_position_embeddings") or 2048),
        "rope_theta": rope_theta,
        "rope_scaling": rope_scaling,
        "norm_eps": float(config.get("rms_norm_eps", 1e-6)),
        "qk_norm": kind == "qwen3",
        "attention_bias": kind == "qwen2" or (bias and kind != "mistral"),
        "output_bias": bias and kind in ("llama", "qwen3"),
        "tie_embeddings": bool(config.get("tie_word_embeddings", False)),
    }


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    if config.get("hidden_act", "silu") != "silu":
        raise WeightsError(f"config.json: hidden_act {config['hidden_act']!r} is not 'silu'")
    if config.get("mlp_bias"):
        raise WeightsError("config.json: mlp_bias is true; only models without it are supported")
    if "quantization_config" in config:
        method = (config["quantization_config"] or {}).get("quant_method")
        raise WeightsError(f"config.json: quantised weights ({method!r}); use bf16 or a GGUF file")
    if _slides(config):
        raise WeightsError("config.json: sliding-window attention is not supported")


def _slides(config: Mapping[str, Any]) -> bool:
    if "sliding_attention" in (config.get("layer_types") or ()):
        return True
    window = config.get("sliding_window")
    used = config.get("use_sliding_window", config["model_type"] == "mistral")
    return bool(used and window) and window < config.get("max_position_embeddings", 0)


def hf_config(spec: ModelSpec) -> dict[str, Any]:
    """A config.json that transformers loads as the class whose mathematics is this model's."""
    kind = _type_of(spec)
    config = {
        "architectures": [f"{kind.capitalize()}ForCausalLM"],
        "model_type": kind,
        "vocab_size": spec.vocab_size,
        "hidden_size": spec.hidden_size,
        "intermediate_size": spec.intermediate_size,
        "num_hidden_layers": spec.num_layers,
        "num_attention_heads": spec.num_heads,
        "num_key_value_heads": spec.num_kv_heads,
        "head_dim": spec.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": spec.max_positions,
        "rms_norm_eps": spec.norm_eps,
        "tie_word_embeddings": spec.tie_embeddings,
        "initializer_range": 0.02,
        "rope_theta": spec.rope_theta,
        "rope_parameters": rope_to_hf(spec.rope_theta, spec.rope_scaling, spec.max_positions),
    }
    if kind in ("llama", "qwen3"):
        config["attention_bias"] = spec.attention_bias
    if kind == "mistral":
        config["sliding_window"] = None
    return config


def _type_of(spec: ModelSpec) -> str:
    if spec.attention_bias and not spec.output_bias:
        if spec.qk_norm:
            raise WeightsError("no Hugging Face model has QK-norm and a bias on q, k, v alone")
        return "qwen2"
    if spec.qk_norm:
        return "qwen3"
    # Llama's config insists on this; Mistral computes the same without it.
    if spec.hidden_size % spec.num_heads and not spec.attention_bias:
        return "mistral"
    return "llama"
