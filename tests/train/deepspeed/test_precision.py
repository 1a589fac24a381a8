import pytest

from raylm.core.errors import ConfigError
from raylm.core.schema import LossScaleConfig
from raylm.train.deepspeed.precision import bytes_of, read_arithmetic
from raylm.train.deepspeed.section import Section

ON, OFF, AUTO = {"enabled": True}, {"enabled": False}, {"enabled": "auto"}


def read(**tree):
    root = Section(tree)
    found = read_arithmetic(root)
    root.warn_of_unknown()
    return found, root.warnings


@pytest.mark.parametrize(
    ("tree", "precision", "autocast"),
    [
        ({}, "fp32", False),
        ({"fp16": OFF, "bf16": OFF}, "fp32", False),
        ({"fp16": ON}, "fp16", False),
        ({"fp16": ON, "bf16": AUTO}, "fp16", False),
        ({"bf16": ON}, "bf16", False),
        ({"bf16": ON, "fp16": AUTO}, "bf16", False),
        ({"bfloat16": ON}, "bf16", False),
        ({"bf16": OFF, "bfloat16": ON}, "fp32", False),
        ({"fp16": AUTO, "bf16": AUTO}, "auto", False),
        ({"fp16": AUTO}, "auto", False),
        ({"bf16": AUTO}, "auto", False),
        ({"fp16": AUTO, "bf16": OFF}, "fp32", False),
        ({"torch_autocast": OFF}, "fp32", False),
        ({"torch_autocast": {"enabled": False, "dtype": "bfloat16"}}, "fp32", False),
        ({"torch_autocast": ON}, "auto", True),
        ({"torch_autocast": {"enabled": True, "dtype": "auto"}}, "auto", True),
        ({"torch_autocast": {"enabled": True, "dtype": "bfloat16"}}, "bf16", True),
        ({"torch_autocast": {"enabled": True, "dtype": "torch.float16"}}, "fp16", True),
        ({"amp": OFF}, "fp32", False),
    ],
)
def test_the_precisions(tree, precision, autocast):
    found, warnings = read(**tree)
    assert (found.precision, found.autocast) == (precision, autocast)
    assert warnings == []


def test_both_enabled_is_an_error():
    with pytest.raises(ConfigError, match="both true"):
        read(fp16=ON, bf16=ON)


@pytest.mark.parametrize(
    ("tree", "precision", "path"),
    [
        ({"amp": {"enabled": True, "opt_level": "O1"}}, "auto", "amp.enabled"),
        ({"amp": ON, "bf16": ON}, "bf16", "amp.enabled"),
        ({"torch_autocast": ON, "bf16": ON}, "bf16", "torch_autocast.enabled"),
        (
            {"torch_autocast": {"enabled": True, "lower_precision_safe_modules": ["a.B"]}},
            "auto",
            "torch_autocast.lower_precision_safe_modules",
        ),
        ({"fp16": {"consecutive_hysteresis": True}}, "fp32", "fp16.consecutive_hysteresis"),
        (
            {"fp16": {"fp16_master_weights_and_grads": True}},
            "fp32",
            "fp16.fp16_master_weights_and_grads",
        ),
        ({"bf16": {"check_grad_overflow": False}}, "fp32", "bf16.check_grad_overflow"),
        ({"bf16": {"bf16_optimizer_states": True}}, "fp32", "bf16.bf16_optimizer_states"),
        (
            {"bfloat16": {"bf16_master_weights_and_grads": True}},
            "fp32",
            "bfloat16.bf16_master_weights_and_grads",
        ),
        ({"data_types": {"param_dtype": "bf16"}}, "fp32", "data_types.param_dtype"),
        ({"data_types": {"buffer_dtype": "bf16"}}, "fp32", "data_types.buffer_dtype"),
        ({"data_types": {"keep_in_fp32_modules": []}}, "fp32", "data_types.keep_in_fp32_modules"),
        ({"bf16": ON, "communication_data_type": "fp32"}, "bf16", "communication_data_type"),
        ({"fp16": {"loss_scal": 1}}, "fp32", "fp16.loss_scal"),
    ],
)
def test_what_is_not_applied_is_named(tree, precision, path):
    found, warnings = read(**tree)
    assert found.precision == precision
    assert [warning.split(":")[0] for warning in warnings] == [path]


def test_what_agrees_is_no_warning():
    tree = {"data_types": {"param_dtype": "bfloat16"}, "communication_data_type": "bf16"}
    assert read(bf16=ON, **tree)[1] == []


def test_the_loss_scale():
    given = {
        "loss_scale": 0,
        "initial_scale_power": 12,
        "loss_scale_window": 500,
        "hysteresis": 3,
        "min_loss_scale": 0.5,
        "auto_cast": False,
    }
    expected = LossScaleConfig(initial_power=12, window=500, hysteresis=3, minimum=0.5)
    found, warnings = read(fp16=ON | given)
    assert found.loss_scale == expected
    assert warnings == []
    assert read(fp16={"loss_scale": 128})[0].loss_scale.static == 128
    assert read(fp16=dict.fromkeys(given, "auto"))[0].loss_scale == LossScaleConfig()


@pytest.mark.parametrize(
    ("spelling", "dtype", "size"),
    [
        ("fp32", "fp32", 4),
        ("torch.float32", "fp32", 4),
        ("bf16", "bf16", 2),
        ("bfloat16", "bf16", 2),
        ("half", "fp16", 2),
        ("auto", "auto", 4),
    ],
)
def test_gradients_are_summed_in(spelling, dtype, size):
    found, warnings = read(data_types={"grad_accum_dtype": spelling})
    assert found.gradient_dtype == dtype
    assert bytes_of(found.gradients) == size
    assert warnings == []


def test_gradients_have_the_dtype_of_the_parameters():
    assert read(bf16=ON)[0].gradients == "bf16"
    assert read(torch_autocast={"enabled": True, "dtype": "fp16"})[0].gradients == "fp32"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"fp16": {"enabled": "yes"}}, "'fp16.enabled' (value 'yes'): expected true or false"),
        ({"fp16": {"loss_scale": -1}}, "'fp16.loss_scale' (value -1): expected a number >= 0"),
        ({"fp16": {"loss_scale": True}}, "'fp16.loss_scale' (value True): expected a number"),
        ({"fp16": {"loss_scale_window": 0}}, "(value 0): expected an integer >= 1"),
        ({"fp16": {"initial_scale_power": 64}}, "(value 64): expected an integer from 0 to 32"),
        ({"fp16": {"min_loss_scale": 0}}, "(value 0): expected a number > 0"),
        ({"fp16": True}, "'fp16' (value True): expected an object"),
        ({"torch_autocast": {"dtype": "fp32"}}, "(value 'fp32'): expected one of fp16"),
        ({"data_types": {"grad_accum_dtype": "fp8"}}, "(value 'fp8'): expected one of fp32"),
        ({"communication_data_type": "int8"}, "(value 'int8'): expected one of fp32"),
    ],
)
def test_a_wrong_value_names_key_value_and_expectation(tree, expected):
    with pytest.raises(ConfigError) as caught:
        read(**tree)
    assert expected in str(caught.value)
