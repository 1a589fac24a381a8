import pytest
import torch
from torch import nn

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.deepspeed.optimizer import FAMILIES, at_rate, read_optimizer
from raylm.train.deepspeed.section import Section
from raylm.train.optimizers.build import build_optimizers


def read(kind=None, **params):
    root = Section({"optimizer": {"type": kind, "params": params}} if kind else {})
    found = read_optimizer(root)
    root.warn_of_unknown()
    return found, root.warnings


@pytest.mark.parametrize(
    ("kind", "params", "expected"),
    [
        ("Adam", {}, "adamw"),
        ("Adam", {"adam_w_mode": True}, "adamw"),
        ("Adam", {"adam_w_mode": False}, "adam"),
        ("Adam", {"torch_adam": True}, "adamw"),
        ("Adam", {"torch_adam": True, "adam_w_mode": False}, "adam"),
        ("AdamW", {}, "adamw"),
        ("AdamW", {"adam_w_mode": False}, "adamw"),
        ("adamw", {}, "adamw"),
        ("Lion", {}, "lion"),
        ("Lamb", {}, "lamb"),
        ("Adagrad", {}, "adagrad"),
        ("Muon", {}, "muon"),
        ("SGD", {}, "sgd"),
        ("RMSprop", {}, "RMSprop"),
    ],
)
def test_the_types(kind, params, expected):
    found, warnings = read(kind, **params)
    assert found.name == expected
    assert warnings == []


@pytest.mark.parametrize(
    ("kind", "lr", "betas", "eps", "momentum"),
    [
        ("Adam", 1e-3, (0.9, 0.999), 1e-8, None),
        ("AdamW", 1e-3, (0.9, 0.999), 1e-8, None),
        ("Lamb", 1e-3, (0.9, 0.999), 1e-8, None),
        ("OneBitAdam", 1e-3, (0.9, 0.999), 1e-8, None),
        ("Lion", 1e-3, (0.9, 0.999), None, None),
        ("Adagrad", 1e-2, None, 1e-10, None),
        ("Muon", 0.02, (0.9, 0.95), 1e-10, 0.95),
        ("SGD", 1e-3, None, None, 0.0),
    ],
)
def test_the_defaults_are_the_peers_own(kind, lr, betas, eps, momentum):
    found, _ = read(kind)
    assert (found.lr, found.weight_decay) == (lr, 0.0)
    assert betas in (None, found.betas)
    assert eps in (None, found.eps)
    assert momentum in (None, found.momentum)


def test_torchs_adamw_decays_by_default():
    assert read("AdamW", torch_adam=True)[0].weight_decay == 0.01
    assert read("Adam", torch_adam=True, adam_w_mode=False)[0].weight_decay == 0.0


def test_given_hyperparameters_are_kept():
    given = {"lr": 3e-5, "betas": [0.8, 0.99], "eps": 1e-7, "weight_decay": 3e-7}
    found, warnings = read("AdamW", **given, bias_correction=True)
    assert found == OptimizerConfig(decays="all", **given)
    assert warnings == []


def test_auto_means_ours():
    found, warnings = read("AdamW", lr="auto", betas="auto", eps="auto", weight_decay="auto")
    assert found == OptimizerConfig(decays="all")
    assert warnings == []


def test_without_the_section_ours_stays():
    assert read() == (OptimizerConfig(), [])


def test_arguments_of_torchs_classes_become_options():
    found, warnings = read("SGD", momentum=0.9, nesterov=True, dampening=0.0)
    assert found.momentum == 0.9
    assert found.options == {"nesterov": True, "dampening": 0.0}
    assert read("Adagrad", lr_decay=0.1)[0].options == {"lr_decay": 0.1}
    assert warnings == []


@pytest.mark.parametrize(
    ("kind", "ours"), [("OneBitAdam", "adamw"), ("ZeroOneAdam", "adamw"), ("OneBitLamb", "lamb")]
)
def test_compressed_optimizers_run_uncompressed_and_say_so(kind, ours):
    found, warnings = read(kind, freeze_step=400, cuda_aware=False, comm_backend_name="nccl")
    assert found.name == ours
    assert warnings == [f"optimizer.type: {kind} runs as the uncompressed {ours}"]


@pytest.mark.parametrize(
    ("kind", "params", "path"),
    [
        ("AdamW", {"bias_correction": False}, "optimizer.params.bias_correction"),
        ("Lamb", {"amsgrad": True}, "optimizer.params.amsgrad"),
        ("AdamW", {"max_grad_norm": 1.0}, "optimizer.params.max_grad_norm"),
        ("AdamW", {"momentum": 0.9}, "optimizer.params.momentum"),
        ("Lamb", {"max_coeff": 10.0}, "optimizer.params.max_coeff"),
        ("SGD", {"betas": [0.9, 0.99]}, "optimizer.params.betas"),
    ],
)
def test_what_is_not_applied_is_named(kind, params, path):
    [warning] = read(kind, **params)[1]
    assert warning.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("params", "lr", "rest"),
    [
        ({}, 0.02, 3e-4),
        ({"lr": 0.01}, 0.01, 0.01),
        ({"lr": 0.01, "muon_lr": 0.05}, 0.05, 0.01),
        ({"lr": 0.01, "adam_lr": 1e-3}, 0.01, 1e-3),
        ({"muon_lr": 0.05, "ns_method": "standard"}, 0.05, 3e-4),
    ],
)
def test_muon_has_two_rates(params, lr, rest):
    found, warnings = read("Muon", **params)
    assert found.lr == lr
    assert found.options == {"adjust_lr_fn": "original", "adamw_lr": rest}
    assert warnings == []


def test_a_scheduler_sets_both_of_muons_rates():
    found, _ = read("Muon", lr=0.01, adam_lr=1e-3)
    assert at_rate(found, 0.01) is found
    assert at_rate(found, 0.03).lr == 0.03
    assert at_rate(found, 0.03).options == {"adjust_lr_fn": "original"}


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_optimizer_can_be_built(kind):
    params = dict.fromkeys(FAMILIES[kind].numbers, 0.5) | {"momentum": 0.9}
    flags = dict.fromkeys(FAMILIES[kind].flags, True) | {"dampening": 0.0}
    found, _ = read(kind, **params | flags)
    matrix = nn.Parameter(torch.ones(4, 4))
    named = {"layer.weight": matrix, "layer.bias": nn.Parameter(torch.ones(4))}
    built = build_optimizers(named, found)
    assert built[0].param_groups[0]["lr"] == found.lr


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"lr": 0}, "key 'optimizer.params.lr' (value 0): expected a number > 0"),
        ({"lr": "fast"}, "key 'optimizer.params.lr' (value 'fast'): expected a number > 0"),
        ({"eps": -1}, "key 'optimizer.params.eps' (value -1): expected a number > 0"),
        ({"weight_decay": -1}, "(value -1): expected a number >= 0"),
        ({"betas": [0.9, 1.5]}, "(value [0.9, 1.5]): expected two numbers >= 0 and < 1"),
        ({"adam_w_mode": 1}, "(value 1): expected true or false"),
    ],
)
def test_a_wrong_value_names_key_value_and_expectation(params, expected):
    with pytest.raises(ConfigError) as caught:
        read("Adam", **params)
    assert expected in str(caught.value)


def test_an_unknown_type_is_refused_with_the_list():
    with pytest.raises(ConfigError) as caught:
        read("Adan")
    assert "key 'optimizer.type' (value 'Adan'): expected one of Adam, AdamW" in str(caught.value)
    assert all(kind in str(caught.value) for kind in FAMILIES)


def test_hyperparameters_need_a_type():
    with pytest.raises(ConfigError, match=r"'optimizer.params' needs 'optimizer.type'"):
        read_optimizer(Section({"optimizer": {"params": {"lr": 1}}}))
