import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from raylm.nn.rope_scaling import (
    FactorScaling,
    LinearScaling,
    Llama3Scaling,
    YarnScaling,
    inverse_frequencies,
)

FACTORS = tuple(1.0 + i / 7 for i in range(32))
CASES = {
    "linear": (LinearScaling(2.5), {"rope_type": "linear", "factor": 2.5}),
    "llama3": (
        Llama3Scaling(8.0, 1.0, 4.0, 8192),
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    ),
    "yarn": (
        YarnScaling(4.0, 2048),
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048},
    ),
    "yarn with all its settings": (
        YarnScaling(8.0, 1024, beta_fast=16.0, beta_slow=2.0, attention_factor=1.2),
        {
            "rope_type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 1024,
            "beta_fast": 16.0,
            "beta_slow": 2.0,
            "attention_factor": 1.2,
        },
    ),
    "one divisor per pair": (
        FactorScaling(FACTORS),
        {
            "rope_type": "longrope",
            "short_factor": list(FACTORS),
            "long_factor": list(FACTORS),
            "factor": 1.0,
            "attention_factor": 1.0,
            "original_max_position_embeddings": 8192,
        },
    ),
}


@pytest.mark.parametrize("theta", [10_000.0, 500_000.0])
@pytest.mark.parametrize("case", CASES)
def test_frequencies_equal_transformers(case, theta):
    scaling, rope = CASES[case]
    config = LlamaConfig(
        hidden_size=256,
        num_attention_heads=4,
        max_position_embeddings=8192,
        rope_parameters={**rope, "rope_theta": theta},
    )
    expected, amplitude = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu")
    torch.testing.assert_close(inverse_frequencies(64, theta, scaling), expected, rtol=1e-6, atol=0)
    assert scaling.amplitude == pytest.approx(amplitude)


def test_without_scaling_the_first_pair_turns_one_radian_per_position():
    frequencies = inverse_frequencies(64, 10_000.0, None)
    assert frequencies[0] == 1.0
    assert frequencies[-1].item() == pytest.approx(10_000 ** (-62 / 64))
