import pytest

from raylm.core.errors import ConfigError
from raylm.core.schema import ScheduleConfig
from raylm.train.deepspeed.schedule import Schedule, read_schedule
from raylm.train.deepspeed.section import Section

LR = 3e-4


def read(kind=None, **params):
    root = Section({"scheduler": {"type": kind, "params": params}} if kind else {})
    found = read_schedule(root, LR)
    root.warn_of_unknown()
    return found, root.warnings


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        (
            "WarmupLR",
            {"warmup_min_lr": 1e-5, "warmup_max_lr": 1e-4, "warmup_num_steps": 10},
            Schedule(ScheduleConfig(name="constant", warmup_steps=10, initial_fraction=0.1), 1e-4),
        ),
        (
            "WarmupLR",
            {},
            Schedule(ScheduleConfig(name="constant", warmup_steps=1000), LR),
        ),
        (
            "WarmupDecayLR",
            {"warmup_num_steps": 5, "total_num_steps": 50, "warmup_min_lr": 1e-4},
            Schedule(
                ScheduleConfig(
                    name="linear", warmup_steps=5, initial_fraction=0.1, final_fraction=0.1
                ),
                1e-3,
                50,
            ),
        ),
        (
            "WarmupDecayLR",
            {"warmup_max_lr": "auto", "warmup_num_steps": "auto", "total_num_steps": "auto"},
            Schedule(ScheduleConfig(name="linear", final_fraction=0), LR),
        ),
        (
            "WarmupCosineLR",
            {"warmup_min_ratio": 0.2, "cos_min_ratio": 0.01, "total_num_steps": 1e3},
            Schedule(
                ScheduleConfig(
                    name="cosine", warmup_steps=1000, initial_fraction=0.2, final_fraction=0.01
                ),
                LR,
                1000,
            ),
        ),
        (
            "WarmupCosineLR",
            {"warmup_num_steps": 2},
            Schedule(ScheduleConfig(name="cosine", warmup_steps=2, final_fraction=1e-4), LR),
        ),
    ],
)
def test_the_warm_ups(kind, params, expected):
    assert read(kind, warmup_type="linear", **params) == (expected, [])


def test_without_the_section_the_rate_is_constant():
    assert read() == (Schedule(ScheduleConfig(name="constant"), LR), [])


@pytest.mark.parametrize("kind", ["WarmupLR", "WarmupDecayLR", "WarmupCosineLR"])
@pytest.mark.parametrize("params", [{}, {"warmup_type": "log"}])
def test_the_logarithmic_warm_up_is_named(kind, params):
    [warning] = read(kind, **params)[1]
    assert warning.startswith("scheduler.params.warmup_type: 'log'")


@pytest.mark.parametrize("params", [{"warmup_type": "auto"}, {"warmup_num_steps": 0}])
def test_a_warm_up_whose_type_does_not_matter_is_no_warning(params):
    assert read("WarmupLR", **params)[1] == []


def test_one_cycle_is_two_straight_lines():
    found, warnings = read(
        "OneCycle",
        cycle_min_lr=1e-4,
        cycle_max_lr=1e-3,
        cycle_first_step_size=100,
        cycle_second_step_size=300,
        cycle_momentum=False,
    )
    shape = ScheduleConfig(
        name="linear", warmup_steps=100, initial_fraction=0.1, final_fraction=0.1
    )
    assert found == Schedule(shape, 1e-3, 400)
    assert warnings == []


def test_the_second_half_of_a_cycle_is_as_long_as_the_first():
    assert read("OneCycle", cycle_first_step_size=7)[0].total_steps == 14


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({}, "cycle_momentum"),
        ({"cycle_momentum": False, "cycle_first_stair_count": 3}, "cycle_first_stair_count"),
        ({"cycle_momentum": False, "cycle_second_stair_count": 3}, "cycle_second_stair_count"),
        ({"cycle_momentum": False, "decay_lr_rate": 0.1, "decay_step_size": 5}, "decay_lr_rate"),
    ],
)
def test_what_a_cycle_cannot_do_is_named(params, key):
    [warning] = read("OneCycle", **params)[1]
    assert warning.startswith(f"scheduler.params.{key}: ")


@pytest.mark.parametrize("kind", ["LRRangeTest", "StepLR"])
def test_what_has_no_counterpart_is_a_constant_rate(kind):
    found, warnings = read(kind, lr_range_test_min_lr=1e-5)
    assert found == Schedule(ScheduleConfig(name="constant"), LR)
    assert warnings == [f"scheduler.type: {kind} has no counterpart; the learning rate stays {LR}"]


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("WarmupRL", {}, "'scheduler.type' (value 'WarmupRL'): expected one of WarmupLR"),
        ("WarmupLR", {"warmup_num_steps": -1}, "(value -1): expected an integer >= 0"),
        ("WarmupLR", {"warmup_num_steps": 1.5}, "(value 1.5): expected an integer >= 0"),
        ("WarmupLR", {"warmup_max_lr": 0}, "(value 0): expected a number > 0"),
        ("WarmupLR", {"warmup_max_lr": [1e-3, 1e-4]}, "expected a number > 0"),
        ("WarmupLR", {"warmup_min_lr": 1}, "(value 1.0): expected at most the peak 0.0003"),
        ("WarmupLR", {"warmup_type": "cubic"}, "(value 'cubic'): expected one of log, linear"),
        ("WarmupDecayLR", {"total_num_steps": 0}, "(value 0): expected an integer >= 1"),
        ("WarmupCosineLR", {"cos_min_ratio": 2}, "(value 2): expected a number >= 0 and < 1"),
        ("OneCycle", {"cycle_first_step_size": 0}, "(value 0): expected an integer >= 1"),
    ],
)
def test_a_wrong_value_names_key_value_and_expectation(kind, params, expected):
    with pytest.raises(ConfigError) as caught:
        read(kind, **params)
    assert expected in str(caught.value)


def test_parameters_need_a_type():
    with pytest.raises(ConfigError, match=r"'scheduler.params' needs 'scheduler.type'"):
        read_schedule(Section({"scheduler": {"params": {"warmup_num_steps": 1}}}), LR)
