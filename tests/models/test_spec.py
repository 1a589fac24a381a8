import dataclasses

import pytest
from gguf import GGMLQuantizationType
from transformers import AutoConfig

from raylm.core.errors import ConfigError, WeightsError
from raylm.core.schema import ModelDims
from raylm.models.decoder import Decoder
from raylm.models.gguf_config import spec_from_gguf
from raylm.models.gguf_file import GgufFile
from raylm.models.hf_config import hf_config, spec_from_hf
from raylm.models.spec import ModelSpec
from raylm.nn.rope_scaling import FactorScaling, LinearScaling, Llama3Scaling, YarnScaling

SHAPE = {
    "vocab_size": 128,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_layers": 2,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": 12,
    "max_positions": 256,
}
VARIANTS = [
    {},
    {"tie_embeddings": False, "norm_eps": 1e-6, "rope_theta": 1e6},
    {"qk_norm": True, "head_dim": 16},
    {"qk_norm": True, "attention_bias": True, "output_bias": True},
    {"attention_bias": True},
    {"attention_bias": True, "output_bias": True},
    {"num_heads": 5, "num_kv_heads": 5},
    {"rope_scaling": LinearScaling(2.0)},
    {"rope_scaling": Llama3Scaling(8.0, 1.0, 4.0, 64)},
    {"rope_scaling": YarnScaling(4.0, 64, attention_factor=1.1)},
    {"rope_scaling": FactorScaling((1.0, 1.0, 2.0, 2.0, 3.0, 3.0))},
]
HF = {
    "model_type": "llama",
    "vocab_size": 128,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_hugging_face_config_says_it_all(variant):
    spec = ModelSpec(**SHAPE | variant)
    assert spec_from_hf(hf_config(spec)) == spec


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_transformers_reads_the_config_as_meant(variant, recwarn):
    spec = ModelSpec(**SHAPE | variant)
    config = hf_config(spec)
    theirs = AutoConfig.for_model(**config)
    assert spec_from_hf(theirs.to_dict()) == spec
    assert not recwarn.list


def test_from_dims():
    dims = ModelDims(hidden_size=192, num_layers=4, num_heads=6)
    spec = ModelSpec.from_dims(dims, vocab_size=1000, max_positions=512)
    assert (spec.head_dim, spec.num_kv_heads, spec.intermediate_size) == (32, 6, 512)
    assert (spec.vocab_size, spec.max_positions, spec.tie_embeddings) == (1000, 512, True)
    narrow = dims.model_copy(update={"head_dim": 64, "num_kv_heads": 2, "intermediate_size": 100})
    spec = ModelSpec.from_dims(narrow, vocab_size=1000, max_positions=512)
    assert (spec.head_dim, spec.num_kv_heads, spec.intermediate_size) == (64, 2, 100)


def test_dims_nobody_can_build_are_a_config_error():
    dims = ModelDims(hidden_size=21, num_layers=1, num_heads=3)
    with pytest.raises(ConfigError, match="key 'model': head_dim is 7; it must be even"):
        ModelSpec.from_dims(dims, vocab_size=300, max_positions=64)


def test_divisors_must_fit_the_head():
    with pytest.raises(WeightsError, match="rope_scaling is FactorScaling"):
        ModelSpec(**SHAPE, rope_scaling=FactorScaling((1.0, 2.0)))


def test_num_parameters():
    assert (
        ModelSpec(**SHAPE).num_parameters
        == 128 * 48 + 2 * (48 + 48 * 48 + 2 * 24 * 48 + 48 * 48 + 48 + 3 * 80 * 48) + 48
    )


def test_older_configs_keep_theta_at_the_top():
    spec = spec_from_hf(
        HF | {"rope_theta": 500_000.0, "rope_scaling": {"type": "linear", "factor": 4.0}}
    )
    assert (spec.rope_theta, spec.rope_scaling) == (500_000.0, LinearScaling(4.0))
    assert (spec.num_kv_heads, spec.head_dim, spec.tie_embeddings) == (4, 12, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not one of llama, mistral, qwen2, qwen3"),
        ({"hidden_size": None}, "a value of the wrong kind"),
        ({"hidden_size": "wide"}, "a value of the wrong kind: invalid literal"),
        ({"num_attention_heads": 0}, "a value of the wrong kind"),
        ({"layer_types": 5}, "a value of the wrong kind"),
        ({"rope_parameters": 5}, "a value of the wrong kind"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not 'silu'"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantised weights ('awq')"),
        ({"layer_types": ["sliding_attention", "full_attention"]}, "sliding-window"),
        ({"model_type": "mistral", "sliding_window": 512}, "sliding-window"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2}}, "rope type 'dynamic'"),
        ({"rope_scaling": {"rope_type": "linear"}}, "the key 'factor' is missing"),
        ({"partial_rotary_factor": 0.5}, "partial rotary"),
        ({"num_key_value_heads": 3}, "num_kv_heads is 3; it must be a divisor of num_heads"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 0}}, "rope_scaling is LinearScaling"),
        ({"head_dim": 7}, "head_dim is 7; it must be even"),
        ({"num_hidden_layers": 10**9}, "num_layers is 1000000000"),
        ({"vocab_size": -1}, "vocab_size is -1; it must be positive"),
        ({"rms_norm_eps": float("nan")}, "norm_eps is nan"),
    ],
)
def test_what_the_decoder_does_not_do_is_refused(change, message):
    longer = {"max_position_embeddings": 4096}
    with pytest.raises(WeightsError) as caught:
        spec_from_hf(HF | longer | change)
    assert message in str(caught.value)


def test_a_missing_key_is_named():
    config = {key: value for key, value in HF.items() if key != "vocab_size"}
    with pytest.raises(WeightsError, match="the key 'vocab_size' is missing"):
        spec_from_hf(config)


@pytest.mark.parametrize(
    ("arch", "variant"),
    [
        ("llama", {}),
        ("llama", {"tie_embeddings": False, "rope_theta": 5e5}),
        ("qwen2", {"attention_bias": True}),
        ("qwen3", {"qk_norm": True, "head_dim": 64}),
    ],
)
def test_a_gguf_file_says_it_all(tiny_spec, write_gguf, arch, variant):
    spec = dataclasses.replace(tiny_spec, **variant)
    path = write_gguf(spec, Decoder(spec).state_dict(), arch=arch)
    read = spec_from_gguf(GgufFile.open(path))
    assert read == dataclasses.replace(spec, norm_eps=read.norm_eps)
    assert read.norm_eps == pytest.approx(spec.norm_eps)


@pytest.mark.parametrize(
    ("metadata", "rope_factors", "scaling"),
    [
        ({"llama.rope.scaling.type": "none"}, None, None),
        (
            {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0},
            None,
            LinearScaling(4.0),
        ),
        (
            {
                "llama.rope.scaling.type": "yarn",
                "llama.rope.scaling.factor": 4.0,
                "llama.rope.scaling.original_context_length": 64,
            },
            None,
            YarnScaling(4.0, 64),
        ),
        ({}, [1.0] * 8 + [8.0] * 8, FactorScaling((1.0,) * 8 + (8.0,) * 8)),
    ],
)
def test_rope_scaling_of_a_gguf_file(tiny_spec, write_gguf, metadata, rope_factors, scaling):
    state = Decoder(tiny_spec).state_dict()
    path = write_gguf(tiny_spec, state, metadata=metadata, rope_factors=rope_factors)
    assert spec_from_gguf(GgufFile.open(path)).rope_scaling == scaling


def test_divisors_of_another_kind_are_refused(tiny_spec, write_gguf):
    path = write_gguf(tiny_spec, Decoder(tiny_spec).state_dict(), rope_factors=[1.0] * 16)
    file = GgufFile.open(path)
    stored = file.tensors["rope_freqs.weight"]
    file.tensors["rope_freqs.weight"] = dataclasses.replace(stored, kind=GGMLQuantizationType.F16)
    with pytest.raises(WeightsError, match=r"'rope_freqs\.weight' is of the kind F16, not F32"):
        spec_from_gguf(file)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"split.count": 3}, "one part of a split model"),
        ({"llama.expert_count": 8}, "mixture-of-experts"),
        ({"llama.rope.dimension_count": 16}, "partial rotary"),
        ({"llama.block_count": "two"}, "'llama.block_count' is 'two', not of int"),
        ({"llama.rope.scaling.type": "longrope"}, "rope scaling 'longrope'"),
        ({"llama.attention.head_count": 0}, "num_heads is 0"),
        ({"general.architecture": "mamba"}, "architecture 'mamba' is not one of llama"),
    ],
)
def test_what_a_gguf_file_may_not_ask_for(tiny_spec, write_gguf, metadata, message):
    file = GgufFile.open(write_gguf(tiny_spec, Decoder(tiny_spec).state_dict()))
    file.metadata.update(metadata)
    with pytest.raises(WeightsError) as caught:
        spec_from_gguf(file)
    assert message in str(caught.value)
