import pytest

from raylm.core.errors import ConfigError
from raylm.core.schema import ZeroConfig
from raylm.train.deepspeed.precision import read_arithmetic
from raylm.train.deepspeed.section import Section
from raylm.train.deepspeed.zero import read_zero

BF16 = {"bf16": {"enabled": True}}


def read(zero, **tree):
    root = Section({"zero_optimization": zero, **tree})
    found = read_zero(root, read_arithmetic(root))
    root.warn_of_unknown()
    return found, root.warnings


@pytest.mark.parametrize(
    ("zero", "expected"),
    [
        (None, ZeroConfig()),
        ({}, ZeroConfig()),
        ({"stage": "auto"}, ZeroConfig()),
        ({"stage": 1}, ZeroConfig(stage=1)),
        ({"stage": 2}, ZeroConfig(stage=2)),
        ({"stage": 3}, ZeroConfig(stage=3, persistence_threshold=100_000)),
        (False, ZeroConfig()),
        (True, ZeroConfig(stage=1)),
    ],
)
def test_the_stages(zero, expected):
    assert read(zero) == (expected, [])


@pytest.mark.parametrize("stage", [-1, 4, 1.5, "2", True])
def test_another_stage_is_refused(stage):
    with pytest.raises(ConfigError) as caught:
        read({"stage": stage})
    expected = f"'zero_optimization.stage' (value {stage!r}): expected an integer from 0 to 3"
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("zero", "tree", "bucket_bytes"),
    [
        ({"reduce_bucket_size": 5e8}, {}, 2_000_000_000),
        ({"reduce_bucket_size": 1000}, BF16, 2000),
        ({"reduce_bucket_size": 1000}, {"fp16": {"enabled": True}}, 2000),
        (
            {"reduce_bucket_size": 1000},
            BF16 | {"data_types": {"grad_accum_dtype": "fp32"}},
            4000,
        ),
        (
            {"reduce_bucket_size": 1000},
            {"torch_autocast": {"enabled": True, "dtype": "bf16"}},
            4000,
        ),
        ({"reduce_bucket_size": 10, "allgather_bucket_size": 99}, {}, 40),
        ({"allgather_bucket_size": 99}, {}, 396),
        ({"reduce_bucket_size": "auto", "allgather_bucket_size": "auto"}, {}, 8 * 2**20),
        (True, {"allgather_size": 10}, 40),
    ],
)
def test_elements_of_a_bucket_become_bytes(zero, tree, bucket_bytes):
    found, warnings = read(zero, **tree)
    assert found.bucket_bytes == bucket_bytes
    assert warnings == []


@pytest.mark.parametrize(
    ("value", "tree", "expected"),
    [(100, {}, 400), (100, BF16, 200), (0, {}, 0), ("auto", {}, ZeroConfig().prefetch_bytes)],
)
def test_elements_to_prefetch_become_bytes(value, tree, expected):
    assert read({"stage3_prefetch_bucket_size": value}, **tree)[0].prefetch_bytes == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (5e4, 50_000), ("auto", 0), (None, 100_000)]
)
def test_the_persistence_threshold_of_stage_3(value, expected):
    zero = {"stage": 3, "stage3_param_persistence_threshold": value}
    assert read(zero)[0].persistence_threshold == expected


@pytest.mark.parametrize(
    "zero",
    [
        {"overlap_comm": True},
        {"contiguous_gradients": True, "reduce_scatter": False, "round_robin_gradients": True},
        {"stage3_max_live_parameters": 1e9, "stage3_max_reuse_distance": 1e9},
        {"sub_group_size": 1e14, "stage3_model_persistence_threshold": 10},
        {"stage3_gather_16bit_weights_on_model_save": True},
        {"stage3_gather_fp16_weights_on_model_save": True},
        {"allgather_partitions": True, "use_multi_rank_bucket_allreduce": True},
        {"offload_optimizer": None, "offload_param": None},
        {"offload_optimizer": {"device": "none", "pin_memory": True, "buffer_count": 4}},
        {"offload_param": {"device": "none", "nvme_path": "/x", "max_in_cpu": 1e9}},
        {"cpu_offload": False, "zero_quantized_weights": False, "zero_hpz_partition_size": 1},
        {"ignore_unused_parameters": True, "leaf_module": "auto"},
    ],
)
def test_what_changes_no_result_is_silent(zero):
    assert read(zero) == (ZeroConfig(), [])


STATES = "ignored for now: states stay on the device"
PARAMETERS = "ignored for now: parameters stay on the device"


@pytest.mark.parametrize(
    ("zero", "key", "text"),
    [
        ({"offload_optimizer": {"device": "cpu"}}, "offload_optimizer", STATES),
        ({"offload_optimizer": {"device": "nvme", "ratio": 0.5}}, "offload_optimizer", STATES),
        ({"offload_param": {"device": "cpu"}}, "offload_param", PARAMETERS),
        ({"cpu_offload": True}, "cpu_offload", STATES),
        ({"cpu_offload_param": True}, "cpu_offload_param", PARAMETERS),
        ({"overlap_comm": False}, "overlap_comm", "always overlaps"),
        ({"zero_quantized_weights": True}, "zero_quantized_weights", "not quantized"),
        ({"zero_quantized_gradients": True}, "zero_quantized_gradients", "not quantized"),
        ({"zero_hpz_partition_size": 8}, "zero_hpz_partition_size", "over all workers"),
        ({"mics_shard_size": 8}, "mics_shard_size", "over all workers"),
        ({"zenflow": {"topk_ratio": 0.1}}, "zenflow", "updates all parameters"),
        ({"leaf_module": {"classes": ["A"]}}, "leaf_module", "zero.units"),
        ({"ignore_unused_parameters": False}, "ignore_unused_parameters", "no error"),
        ({"overlap_com": True}, "overlap_com", "did you mean 'overlap_comm'?"),
        ({"offload_param": {"devise": "cpu"}}, "offload_param.devise", "did you mean 'device'?"),
    ],
)
def test_what_is_not_applied_is_named(zero, key, text):
    [warning] = read(zero)[1]
    assert warning.startswith(f"zero_optimization.{key}: ")
    assert text in warning


@pytest.mark.parametrize(
    ("zero", "expected"),
    [
        ({"reduce_bucket_size": 0}, "reduce_bucket_size' (value 0): expected an integer >= 1"),
        ({"reduce_bucket_size": "5e8"}, "(value '5e8'): expected an integer >= 1"),
        ({"overlap_comm": "yes"}, "overlap_comm' (value 'yes'): expected true or false"),
        ({"contiguous_gradients": 1}, "contiguous_gradients' (value 1): expected true or false"),
        ({"sub_group_size": -1}, "sub_group_size' (value -1): expected an integer >= 0"),
        ({"stage3_param_persistence_threshold": -1}, "(value -1): expected an integer >= 0"),
        ({"offload_param": "cpu"}, "offload_param' (value 'cpu'): expected an object"),
        ({"offload_param": {"device": "gpu"}}, "device' (value 'gpu'): expected one of none, cpu"),
        ("on", "'zero_optimization' (value 'on'): expected an object"),
    ],
)
def test_a_wrong_value_names_key_value_and_expectation(zero, expected):
    with pytest.raises(ConfigError) as caught:
        read(zero)
    assert expected in str(caught.value)
