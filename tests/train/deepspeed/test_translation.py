import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import ConfigError
from raylm.core.schema import (
    BatchConfig,
    EngineConfig,
    LossScaleConfig,
    OptimizerConfig,
    ScheduleConfig,
    ZeroConfig,
)
from raylm.train.deepspeed import is_deepspeed_config, translate

# The shape that Hugging Face's Trainer documents: most values are left to the caller.
TRAINER = {
    "fp16": {
        "enabled": "auto",
        "loss_scale": 0,
        "loss_scale_window": 1000,
        "initial_scale_power": 16,
        "hysteresis": 2,
        "min_loss_scale": 1,
    },
    "bf16": {"enabled": "auto"},
    "optimizer": {
        "type": "AdamW",
        "params": {"lr": "auto", "betas": "auto", "eps": "auto", "weight_decay": "auto"},
    },
    "scheduler": {
        "type": "WarmupLR",
        "params": {"warmup_min_lr": "auto", "warmup_max_lr": "auto", "warmup_num_steps": "auto"},
    },
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "steps_per_print": 2000,
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "wall_clock_breakdown": False,
}
STAGE_2 = {
    "stage": 2,
    "offload_optimizer": {"device": "cpu", "pin_memory": True},
    "allgather_partitions": True,
    "allgather_bucket_size": 2e8,
    "overlap_comm": True,
    "reduce_scatter": True,
    "reduce_bucket_size": 2e8,
    "contiguous_gradients": True,
}
STAGE_3 = {
    "stage": 3,
    "offload_optimizer": {"device": "cpu", "pin_memory": True},
    "offload_param": {"device": "cpu", "pin_memory": True},
    "overlap_comm": True,
    "contiguous_gradients": True,
    "sub_group_size": 1e9,
    "reduce_bucket_size": "auto",
    "stage3_prefetch_bucket_size": "auto",
    "stage3_param_persistence_threshold": "auto",
    "stage3_max_live_parameters": 1e9,
    "stage3_max_reuse_distance": 1e9,
    "stage3_gather_16bit_weights_on_model_save": True,
}
OFFLOAD = "ignored for now: states stay on the device"


def test_the_trainers_stage_2():
    found = translate(TRAINER | {"zero_optimization": STAGE_2}, world_size=4)
    assert found.config == EngineConfig(
        batch=BatchConfig(global_=32, micro=8),
        optimizer=OptimizerConfig(decays="all"),
        schedule=ScheduleConfig(name="constant"),
        zero=ZeroConfig(stage=2, bucket_bytes=800_000_000),
    )
    assert found.warnings == (f"zero_optimization.offload_optimizer: {OFFLOAD}",)
    assert found.total_steps is None


def test_the_trainers_stage_3():
    found = translate(TRAINER | {"zero_optimization": STAGE_3}, world_size=4)
    assert found.config.zero == ZeroConfig(stage=3)
    assert [warning.split(":")[0] for warning in found.warnings] == [
        "zero_optimization.offload_optimizer",
        "zero_optimization.offload_param",
    ]


def test_a_file_without_auto():
    found = translate(
        {
            "train_batch_size": 64,
            "gradient_accumulation_steps": 4,
            "fp16": {"enabled": True, "initial_scale_power": 12},
            "gradient_clipping": 0.5,
            "optimizer": {"type": "Adam", "params": {"lr": 1e-4, "weight_decay": 0.1}},
            "scheduler": {
                "type": "WarmupDecayLR",
                "params": {
                    "warmup_max_lr": 2e-4,
                    "warmup_num_steps": 10,
                    "warmup_type": "linear",
                    "total_num_steps": 100,
                },
            },
            "zero_optimization": {"stage": 1, "reduce_bucket_size": 1000},
            "data_types": {"grad_accum_dtype": "fp32"},
        },
        world_size=2,
    )
    assert found.config == EngineConfig(
        batch=BatchConfig(global_=64, micro=8),
        optimizer=OptimizerConfig(lr=2e-4, betas=(0.9, 0.999), decays="all"),
        schedule=ScheduleConfig(name="linear", warmup_steps=10, final_fraction=0.0),
        gradient_clipping=0.5,
        precision="fp16",
        gradient_dtype="fp32",
        loss_scale=LossScaleConfig(initial_power=12),
        zero=ZeroConfig(stage=1, bucket_bytes=4000),
    )
    assert found.warnings == ()
    assert found.total_steps == 100


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, None),
        ({"gradient_clipping": 0}, None),
        ({"gradient_clipping": 0.0}, None),
        ({"gradient_clipping": None}, None),
        ({"gradient_clipping": "auto"}, 1.0),
        ({"gradient_clipping": 0.3}, 0.3),
    ],
)
def test_clipping(tree, expected):
    found = translate({"train_batch_size": 1, **tree}, world_size=1)
    assert found.config.gradient_clipping == expected
    assert found.warnings == ()


def test_a_wrong_clipping_is_refused():
    with pytest.raises(ConfigError, match=r"'gradient_clipping' \(value -1\): expected a number"):
        translate({"train_batch_size": 1, "gradient_clipping": -1}, world_size=1)


@pytest.mark.parametrize(
    ("tree", "warning"),
    [
        ({"zero_optimisation": {}}, "zero_optimisation: not a known key, ignored; did you mean"),
        ({"overlap_comm": True}, "overlap_comm: not a known key, ignored; did you mean 'zero_opt"),
        ({"fp16": {"enable": True}}, "fp16.enable: not a known key, ignored; did you mean 'enab"),
        ({"my_own": {"deep": 1}}, "my_own: not a known key, ignored"),
    ],
)
def test_an_unknown_key_is_a_warning_with_its_path(tree, warning):
    [found] = translate({"train_batch_size": 1, **tree}, world_size=1).warnings
    assert found.startswith(warning)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (TRAINER, True),
        ({"train_micro_batch_size_per_gpu": 1}, True),
        ({"zero_optimization": {"stage": 1}}, True),
        ({"optimizer": {"type": "Adam"}, "gradient_clipping": 1.0}, True),
        ({"bf16": {"enabled": True}, "train_batch_size": 8, "seed": 1}, True),
        ({}, False),
        ({"gradient_clipping": 1.0}, False),
        ({"optimizer": {"name": "adamw"}}, False),
        (EngineConfig().to_dict(), False),
        ({"batch": {"micro": 1}, "zero": {"stage": 1}}, False),
        ({"precision": "bf16", "train_batch_size": 8}, False),
        ({"model": "tiny", "steps": 3}, False),
        ({1: 2}, False),
    ],
)
def test_whose_keys_they_are(tree, expected):
    assert is_deepspeed_config(tree) is expected


def test_the_translation_is_a_config_of_ours():
    config = translate(TRAINER | {"zero_optimization": STAGE_3}, world_size=2).config
    assert EngineConfig.load(config.to_dict()) == config
    assert not is_deepspeed_config(config.to_dict())


def test_it_needs_neither_torch_nor_ray():
    script = (
        "import sys, raylm.train.deepspeed as d\n"
        "d.translate({'train_batch_size': 1}, 1)\n"
        "print([m for m in ('torch', 'ray') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


leaves = st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.just("auto") | st.text()
values = leaves | st.dictionaries(st.text(max_size=3), leaves, max_size=2)


FULL = TRAINER | {"zero_optimization": STAGE_3, "train_batch_size": 8}
PATHS = [(k,) for k in FULL] + [(k, s) for k, v in FULL.items() if isinstance(v, dict) for s in v]


@given(st.sampled_from(PATHS), values)
def test_any_value_anywhere_is_translated_or_refused_in_one_line(path, value):
    tree = json.loads(json.dumps(FULL))
    parent = tree
    for part in path[:-1]:
        parent = parent[part]
    parent[path[-1]] = value
    try:
        found = translate(tree, world_size=1)
    except ConfigError as error:
        lines = str(error).splitlines()
    else:
        lines = ["translated"]
        assert EngineConfig.load(found.config.to_dict()) == found.config
    assert len(lines) == 1
