"""Which implementation serves: by ability, time, name and after a failure."""

import os
import subprocess
import sys
import time
import warnings

import pytest
import torch

from raylm_kernels.choices import Choices
from raylm_kernels.implementation import Implementation
from raylm_kernels.registry import Registry, fastest


def double(x):
    return x * 2


def slowly(x):
    time.sleep(0.01)
    return x * 2


def quickly(x):
    return x.add(x)


@pytest.fixture
def registry(tmp_path):
    return new_registry(tmp_path)


def new_registry(folder, reference=slowly, **options):
    made = Registry(Choices(folder), **options)
    made.define("double", reference)
    return made


def add(registry, name, function, **conditions):
    registry.add(Implementation("double", name, function, **conditions))


X = torch.arange(4.0)


def test_the_fastest_serves(registry):
    add(registry, "quick", quickly)
    add(registry, "slow", slowly)
    assert registry.choose("double", (X,)).name == "quick"
    assert torch.equal(registry.call("double", (X,)), X * 2)


def test_the_choice_is_for_a_class_of_shapes(registry):
    def sleepy_when_large(x):
        time.sleep(0.03 if len(x) > 100 else 0.0)
        return x * 2

    add(registry, "sleepy", sleepy_when_large)
    assert registry.choose("double", (X,)).name == "sleepy"
    assert registry.choose("double", (torch.ones(1000),)).name == "torch"


def test_times_are_taken_once_for_all_processes(tmp_path):
    calls = []

    def counted(x):
        calls.append(1)
        return x * 2

    first = new_registry(tmp_path)
    add(first, "counted", counted)
    first.call("double", (X,))
    taken = len(calls)
    assert taken > 2
    second = new_registry(tmp_path)
    add(second, "counted", counted)
    assert second.choose("double", (X,)).name == "counted"
    assert len(calls) == taken


def test_a_choice_is_remembered_by_all_that_conditions_ask_about(registry):
    asked = []

    def takes(x, factor):
        asked.append((x.stride(), factor))
        return x.is_contiguous() and factor > 0

    registry.define("scale", lambda x, factor: x * factor)
    registry.add(Implementation("scale", "quick", lambda x, factor: x * factor, when=takes))
    for factor in (1.0, 2.0, 3.5):
        registry.call("scale", (torch.ones(4, 4), factor))
    once = len(asked)
    registry.call("scale", (torch.zeros(4, 4), 7.0))
    assert len(asked) == once
    for x, factor in ((torch.ones(4, 4).T, 1.0), (torch.ones(4, 5), 1.0), (torch.ones(4, 4), -1.0)):
        before = len(asked)
        registry.call("scale", (x, factor))
        assert len(asked) > before


def test_what_was_remembered_ends_with_a_new_or_failed_implementation(registry):
    served = []

    def broken(x):
        if served:
            raise RuntimeError("now it fails")
        return x * 2

    add(registry, "quick", broken)
    registry.call("double", (X,))
    served.append(1)
    with pytest.warns(UserWarning, match="now it fails"):
        registry.call("double", (X,))
    add(registry, "late", lambda x: served.append("late") or x + x)
    registry.call("double", (X,))
    assert "late" in served


def test_a_new_implementation_is_timed(tmp_path):
    first = new_registry(tmp_path)
    add(first, "slow", slowly)
    first.call("double", (X,))
    second = new_registry(tmp_path)
    add(second, "slow", slowly)
    add(second, "quick", quickly)
    assert second.choose("double", (X,)).name == "quick"


def test_what_is_forgotten_is_timed_again(registry):
    add(registry, "quick", quickly)
    registry.call("double", (X,))
    assert registry.explain("double", X).rows[1].seconds is not None
    registry.forget("double")
    calls = []
    add(registry, "late", lambda x: calls.append(1) or x * 2)
    registry.call("double", (X,))
    assert calls


@pytest.mark.parametrize(
    ("conditions", "obstacle"),
    [
        ({"device": "cuda"}, "needs a tensor on cuda, found cpu"),
        ({"dtypes": frozenset([torch.bfloat16])}, "takes bfloat16, found float32"),
        ({"capability": (9, 0)}, "needs compute capability 9.0, found 0.0"),
        ({"when": lambda x: len(x) > 4}, "does not take this shape"),
        ({"ready": lambda: "no compiler"}, "no compiler"),
    ],
)
def test_who_cannot_is_not_asked(registry, conditions, obstacle):
    add(registry, "quick", quickly, **conditions)
    assert registry.choose("double", (X,)).name == "torch"
    assert obstacle in str(registry.explain("double", X))


def test_one_that_fails_is_left_with_one_warning(registry):
    def broken(x):
        raise RuntimeError("illegal instruction")

    add(registry, "broken", broken, priority=9)
    with pytest.warns(UserWarning, match=r"double: 'broken' is not used any more.*illegal"):
        assert torch.equal(registry.call("double", (X,)), X * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(registry.call("double", (torch.ones(99),)), torch.full((99,), 2.0))
    assert "illegal instruction" in str(registry.explain("double", X))


def test_one_that_fails_later_is_left_too(registry):
    state = {"is_broken": False}

    def fragile(x):
        if state["is_broken"]:
            raise RuntimeError("device lost")
        return x * 2

    add(registry, "fragile", fragile)
    registry.call("double", (X,))
    state["is_broken"] = True
    with pytest.warns(UserWarning, match="device lost"):
        assert torch.equal(registry.call("double", (X,)), X * 2)


@pytest.mark.parametrize("lack", [torch.OutOfMemoryError, MemoryError])
def test_running_out_of_memory_is_not_the_fault_of_an_implementation(registry, lack):
    def hungry(x):
        raise lack("too large")

    add(registry, "hungry", hungry)
    with pytest.raises(lack):
        registry.call("double", (X,))
    assert not registry.explain("double").rows[1].obstacle


def test_a_reference_without_memory_leaves_the_call_to_who_needs_less(tmp_path):
    def greedy(x):
        raise torch.OutOfMemoryError("too large")

    registry = Registry(Choices(tmp_path))
    registry.define("double", greedy)
    add(registry, "frugal", lambda x: x * 2)
    assert torch.equal(registry.call("double", (X,)), X * 2)
    again = Registry(Choices(tmp_path))
    again.define("double", greedy)
    add(again, "frugal", lambda x: x * 2)
    assert again.choose("double", (X,)).name == "frugal"


def test_a_wrong_result_is_found_on_first_use(tmp_path):
    checked = new_registry(tmp_path, checks=True)
    add(checked, "wrong", lambda x: x * 2.01)
    with pytest.warns(UserWarning, match=r"off by 0\.005 of its largest magnitude"):
        assert torch.equal(checked.call("double", (X,)), X * 2)


def test_a_name_can_be_forced(tmp_path):
    forced = new_registry(tmp_path, forced="double=slow")
    add(forced, "slow", slowly)
    add(forced, "quick", quickly)
    assert forced.choose("double", (X,)).name == "slow"
    assert "slow   chosen (forced)" in str(forced.explain("double", X))


@pytest.mark.parametrize(
    ("forced", "message"),
    [
        ("double=quik", "double has no implementation 'quik'; did you mean 'quick'"),
        ("double=gpu", "RAYLM_KERNELS forces double=gpu, which needs a tensor on cuda"),
    ],
)
def test_a_wrong_force_is_an_error(tmp_path, forced, message):
    made = new_registry(tmp_path, forced=forced)
    add(made, "quick", quickly)
    add(made, "gpu", quickly, device="cuda")
    with pytest.raises(ValueError, match=message):
        made.call("double", (X,))


@pytest.mark.parametrize("text", ["double", "=torch", "double="])
def test_what_forces_must_be_pairs(tmp_path, text):
    with pytest.raises(ValueError, match="write op=implementation"):
        Registry(Choices(tmp_path), forced=text)


def test_unknown_names_are_told_with_the_nearest(registry):
    with pytest.raises(ValueError, match="no op 'doublee'; did you mean 'double'"):
        registry.call("doublee", (X,))
    with pytest.raises(ValueError, match="already"):
        registry.define("double", double)
    add(registry, "quick", quickly)
    with pytest.raises(ValueError, match="has an implementation 'quick' already"):
        add(registry, "quick", quickly)


def test_an_op_that_changes_its_arguments_is_tried_on_copies(tmp_path):
    made = Registry(Choices(tmp_path))

    def add_one(x):
        x.add_(1)

    def half_done(x):
        x.add_(1)
        raise RuntimeError("stopped halfway")

    made.define("increment", add_one, mutates=[0])
    made.add(Implementation("increment", "half_done", half_done, priority=5))
    x = torch.zeros(3)
    with pytest.warns(UserWarning, match="stopped halfway"):
        made.call("increment", (x,))
    assert torch.equal(x, torch.ones(3))


def test_priority_decides_between_equals():
    low, high, slow = (
        Implementation("double", name, double, priority=p)
        for name, p in (("low", 0), ("high", 1), ("slow", 9))
    )
    assert fastest([low, high, slow], {"low": 1.0, "high": 1.01, "slow": 2.0}) is high
    assert fastest([low, high, slow], {}) is slow  # where no times could be taken


def test_the_environment_forces_an_implementation_by_name():
    program = (
        "import torch, raylm_kernels as rk\n"
        "print(rk.registry.explain('rms_norm', torch.ones(2, 32), torch.ones(32), 1e-6).chosen)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"RAYLM_KERNELS": "rms_norm=torch"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "torch"
