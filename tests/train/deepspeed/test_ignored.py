import math

import pytest

from raylm.core.errors import ConfigError
from raylm.train.deepspeed.ignored import read_ignored
from raylm.train.deepspeed.section import Section

FEATURES = [
    *("elasticity", "flops_profiler", "tensorboard", "wandb", "comms_logger", "autotuning"),
    *("compression_training", "sparse_attention", "data_efficiency", "pipeline", "aio"),
    *("hybrid_engine", "csv_monitor", "checkpoint", "compile", "tensor_parallel"),
]


def read(**tree):
    root = Section(tree)
    read_ignored(root)
    root.warn_of_unknown()
    return root.warnings


@pytest.mark.parametrize("key", FEATURES)
@pytest.mark.parametrize("value", [{}, {"enabled": True, "depth": {"x": 1}}])
def test_a_feature_is_named_once(key, value):
    assert read(**{key: value}) == [f"{key}: ignored: there is no counterpart yet"]


@pytest.mark.parametrize("key", FEATURES)
@pytest.mark.parametrize("value", [None, "auto", False, {"enabled": False}])
def test_a_feature_that_is_off_is_not_missed(key, value):
    assert read(**{key: value}) == []


@pytest.mark.parametrize(
    "tree",
    [
        {"steps_per_print": 2000, "wall_clock_breakdown": False, "dump_state": True},
        {"steps_per_print": math.inf, "memory_breakdown": True, "log_level": "info"},
        {"prescale_gradients": True, "gradient_predivide_factor": 8.0},
        {"zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False},
        {"gradient_allreduce_op": "mean", "sequence_parallel_size": 1, "vocabulary_size": 1000},
        {"timers": {"throughput": {"enabled": False}}, "managed_gradient_accumulation": True},
        {"activation_checkpointing": {"partition_activations": False, "number_checkpoints": None}},
    ],
)
def test_what_loses_nothing_is_silent(tree):
    assert read(**tree) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("partition_activations", True),
        ("cpu_checkpointing", True),
        ("contiguous_memory_optimization", True),
        ("synchronize_checkpoint_boundary", True),
        ("profile", True),
        ("number_checkpoints", 4),
    ],
)
def test_activation_checkpointing_is_not_applied_yet(key, value):
    [warning] = read(activation_checkpointing={key: value})
    assert warning.startswith(f"activation_checkpointing.{key}: not applied yet")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("gradient_allreduce_op", "sum"),
        ("managed_gradient_accumulation", False),
        ("sequence_parallel_size", 2),
    ],
)
def test_what_changes_the_result_is_named(key, value):
    [warning] = read(**{key: value})
    assert warning.startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"steps_per_print": "often"}, "'steps_per_print' (value 'often'): expected a number >= 0"),
        ({"wall_clock_breakdown": 1}, "'wall_clock_breakdown' (value 1): expected true or false"),
        ({"gradient_predivide_factor": 0}, "(value 0): expected a number > 0"),
        ({"gradient_allreduce_op": "max"}, "(value 'max'): expected one of mean, sum"),
        ({"activation_checkpointing": True}, "(value True): expected an object"),
        ({"activation_checkpointing": {"profile": "x"}}, "(value 'x'): expected true or false"),
    ],
)
def test_a_wrong_value_names_key_value_and_expectation(tree, expected):
    with pytest.raises(ConfigError) as caught:
        read(**tree)
    assert expected in str(caught.value)
