"""RoPE scaling as Hugging Face configs and GGUF metadata spell it."""

from collections.abc import Mapping
from typing import Any

from gguf.constants import GGMLQuantizationType

from raylm.core.errors import WeightsError
from raylm.models.gguf_file import GgufFile
from raylm.nn.rope_scaling import (
    FactorScaling,
    LinearScaling,
    Llama3Scaling,
    RopeScaling,
    YarnScaling,
)


def rope_from_hf(config: Mapping[str, Any]) -> tuple[float, RopeScaling | None]:
    """Theta and scaling from `rope_parameters`, or the older `rope_theta` and `rope_scaling`."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    if float(rope.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1) != 1:
        raise WeightsError("config.json asks for partial rotary embedding, which no model here has")
    return theta, _scaling_from_hf(rope, int(config.get("max_position_embeddings", 2048)))


def _scaling_from_hf(rope: Mapping[str, Any], max_positions: int) -> RopeScaling | None:
    original = int(rope.get("original_max_position_embeddings") or max_positions)
    match rope.get("rope_type") or rope.get("type") or "default":
        case "default":
            return None
        case "linear":
            return LinearScaling(float(rope["factor"]))
        case "llama3":
            low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
            return Llama3Scaling(float(rope["factor"]), low, high, original)
        case "yarn" if not rope.get("mscale") and rope.get("truncate", True):
            attention = rope.get("attention_factor")
            return YarnScaling(
                factor=float(rope.get("factor") or max_positions / original),
                original_max_positions=original,
                beta_fast=float(rope.get("beta_fast") or 32),
                beta_slow=float(rope.get("beta_slow") or 1),
                attention_factor=None if attention is None else float(attention),
            )
        case "longrope" if _is_one_factor(rope):
            return FactorScaling(tuple(map(float, rope["short_factor"])))
        case kind:
            raise WeightsError(
                f"config.json asks for the rope type {kind!r} with {dict(rope)!r:.200}; known: "
                "default, linear, llama3, yarn (without mscale)"
            )


def _is_one_factor(rope: Mapping[str, Any]) -> bool:
    """LongRoPE that neither changes with the length nor rescales attention."""
    return rope["short_factor"] == rope["long_factor"] and rope.get("attention_factor") == 1.0


def rope_to_hf(theta: float, scaling: RopeScaling | None, max_positions: int) -> dict[str, Any]:
    match scaling:
        case None:
            return {"rope_theta": theta, "rope_type": "default"}
        case LinearScaling():
            return {"rope_theta": theta, "rope_type": "linear", "factor": scaling.factor}
        case Llama3Scaling():
            return {
                "rope_theta": theta,
                "rope_type": "llama3",
                "factor": scaling.factor,
                "low_freq_factor": scaling.low_freq_factor,
                "high_freq_factor": scaling.high_freq_factor,
                "original_max_position_embeddings": scaling.original_max_positions,
            }
        case YarnScaling():
            return {
                "rope_theta": theta,
                "rope_type": "yarn",
                "factor": scaling.factor,
                "original_max_position_embeddings": scaling.original_max_positions,
                "beta_fast": scaling.beta_fast,
                "beta_slow": scaling.beta_slow,
                "attention_factor": scaling.amplitude,
            }
        case FactorScaling():
            return {
                "rope_theta": theta,
                "rope_type": "longrope",
                "short_factor": list(scaling.factors),
                "long_factor": list(scaling.factors),
                "factor": 1.0,
                "attention_factor": 1.0,
                "original_max_position_embeddings": max_positions,
            }


def rope_from_gguf(file: GgufFile, arch: str) -> tuple[float, RopeScaling | None]:
    theta = file.get(f"{arch}.rope.freq_base", 10_000.0)
    if "rope_freqs.weight" in file.tensors:
        return theta, FactorScaling(_divisors(file))
    kind = file.get(f"{arch}.rope.scaling.type", "none")
    factor = file.get(f"{arch}.rope.scaling.factor", 1.0)
    match kind:
        case "none":
            return theta, None
        case "linear":
            return theta, LinearScaling(factor)
        case "yarn":
            original = file.require(f"{arch}.rope.scaling.original_context_length", int)
            return theta, YarnScaling(factor, original)
        case _:
            raise WeightsError(f"rope scaling {kind!r} is not one of none, linear, yarn")


def _divisors(file: GgufFile) -> tuple[float, ...]:
    kind = file.tensors["rope_freqs.weight"].kind
    if kind != GGMLQuantizationType.F32:
        raise WeightsError(f"the tensor 'rope_freqs.weight' is of the kind {kind.name}, not F32")
    return tuple(map(float, file.rows("rope_freqs.weight").view("<f4").ravel()))
