import pytest
import torch
from torch import nn
from torch.optim import SGD, Adafactor, Adagrad, Adam, AdamW, Muon, RMSprop, Rprop

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.optimizers.build import build_optimizers
from raylm.train.optimizers.lion import Lion


def model(dtype=torch.float32, device="cpu"):
    network = nn.Sequential()
    network.embed_tokens = nn.Embedding(5, 3)
    network.up = nn.Linear(3, 4)
    network.norm = nn.LayerNorm(4)
    network.lm_head = nn.Linear(4, 5, bias=False)
    return network.to(device, dtype)


def build(name="adamw", network=None, device=None, **config):
    named = dict((network or model()).named_parameters())
    return build_optimizers(named, OptimizerConfig(name=name, **config), device)


def test_only_matrices_are_decayed():
    network = model()
    network.embed_tokens.weight.requires_grad_(False)
    (optimizer,) = build(network=network, weight_decay=0.1)
    matrices, vectors = optimizer.param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in matrices["params"]] == [2, 2]
    assert [p.ndim for p in vectors["params"]] == [1, 1, 1]


def test_empty_groups_are_left_out():
    (optimizer,) = build(network=nn.Linear(2, 2, bias=False))
    assert len(optimizer.param_groups) == 1


def test_a_class_without_weight_decay_gets_one_group():
    (optimizer,) = build("rprop", lr=0.5)
    assert isinstance(optimizer, Rprop)
    (group,) = optimizer.param_groups
    assert "weight_decay" not in group
    assert (group["lr"], len(group["params"])) == (0.5, 6)


def test_hyper_parameters_go_where_they_are_taken():
    config = {"lr": 0.5, "betas": (0.5, 0.6), "eps": 0.25, "momentum": 0.7}
    expected = {
        "adamw": {"lr": 0.5, "betas": (0.5, 0.6), "eps": 0.25},
        "lion": {"lr": 0.5, "betas": (0.5, 0.6)},
        "lamb": {"lr": 0.5, "betas": (0.5, 0.6), "eps": 0.25},
        "sgd": {"lr": 0.5, "momentum": 0.7},
        "rmsprop": {"lr": 0.5, "momentum": 0.7, "eps": 0.25},
        "adagrad": {"lr": 0.5, "eps": 0.25},
        "adafactor": {"lr": 0.5, "eps": (None, 1e-3)},
    }
    for name, values in expected.items():
        (optimizer,) = build(name, **config)
        group = optimizer.param_groups[0]
        assert {key: group[key] for key in ("lr", "betas", "eps", "momentum") if key in group} == (
            values
        ), name


def test_options_are_passed_on():
    (optimizer,) = build("sgd", momentum=0.9, options={"nesterov": True})
    assert optimizer.param_groups[0]["nesterov"] is True
    (optimizer,) = build("adafactor", options={"eps": (None, 0.5), "d": 2.0})
    assert optimizer.param_groups[0]["eps"] == (None, 0.5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"nestrov": True}, r"'sgd' takes no option 'nestrov'; did you mean 'nesterov'\?"),
        ("adamw", {"lr": 1.0}, r"optimizer.options.lr repeats optimizer.lr"),
        ("adamw", {"params": []}, r"takes no option 'params'"),
        ("muon", {"adamw_lt": 1.0}, r"'muon' takes no option 'adamw_lt'; did you mean 'adamw_lr'"),
        ("muon", {"momentum": 0.5}, r"optimizer.options.momentum repeats optimizer.momentum"),
        ("sgd", {"nesterov": True}, r"SGD refuses its arguments: Nesterov momentum requires"),
        ("adamw", {"amsgrad": True, "fused": True, "foreach": True}, r"AdamW refuses"),
    ],
)
def test_a_wrong_option_is_named(name, options, message):
    with pytest.raises(ConfigError, match=message):
        build(name, options=options)


def test_a_value_that_the_class_refuses_is_a_config_error():
    with pytest.raises(ConfigError, match=r"Lion refuses its arguments: betas \(0.9, 1.0\)"):
        build("lion", betas=(0.9, 1.0))


def test_nothing_to_train_is_a_config_error():
    with pytest.raises(ConfigError, match="none of the model's 6 parameters is trainable"):
        build(network=model().requires_grad_(False))


def kernel(optimizer):
    return {key for key in ("fused", "foreach") if optimizer.param_groups[0].get(key)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["adamw", "adam", "adagrad", "sgd"])
def test_fused_kernels_are_used_where_they_are_right(name, dtype):
    """Against float64 after one step, over sizes with and without a whole SIMD block."""
    (optimizer,) = build(name, model(dtype), lr=0.01, weight_decay=0.0)
    half = dtype in (torch.bfloat16, torch.float16)
    assert kernel(optimizer) == ({"foreach"} if name == "sgd" and half else {"fused"})
    for size in (3, 64, 131):
        torch.manual_seed(0)
        start, gradient = torch.randn(size).to(dtype), torch.randn(size).to(dtype).sign()
        found = []
        for kind in (dtype, torch.float64):
            parameter = nn.Parameter(start.to(kind, copy=True))
            parameter.grad = gradient.to(kind, copy=True)
            build_optimizers({"p": parameter}, OptimizerConfig(name=name, lr=0.5))[0].step()
            found.append(parameter.detach())
        torch.testing.assert_close(found[0], found[1].to(dtype), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["rmsprop", "nadam", "adafactor"])
def test_foreach_is_used_where_nothing_is_fused(name):
    (optimizer,) = build(name)
    assert kernel(optimizer) == {"foreach"}


def test_options_settle_the_kernel():
    (optimizer,) = build(options={"foreach": True})
    assert kernel(optimizer) == {"foreach"}
    (optimizer,) = build(options={"fused": False})
    assert kernel(optimizer) == set()
    (optimizer,) = build(options={"differentiable": True})
    assert kernel(optimizer) == set()


@pytest.mark.parametrize(
    "name", ["adamw", "adagrad", "sgd", "lion", "lamb", "muon", "adafactor", "rmsprop"]
)
def test_parameters_on_the_meta_device_are_taken(name):
    network = model(device="meta")
    for device in (None, torch.device("cpu")):
        optimizers = build(name, network, device)
        members = [p for o in optimizers for group in o.param_groups for p in group["params"]]
        assert {id(p) for p in members} == {id(p) for p in network.parameters()}


def test_on_the_meta_device_the_kernel_is_that_of_the_device_to_come():
    network = model(device="meta")
    assert kernel(build(network=network)[0]) == {"foreach"}
    for device in ("cpu", "cuda"):
        assert kernel(build(network=network, device=torch.device(device))[0]) == {"fused"}
    half = model(torch.bfloat16, "meta")
    assert kernel(build("sgd", half, torch.device("cpu"))[0]) == {"foreach"}
    assert kernel(build("sgd", half, torch.device("cuda"))[0]) == {"fused"}


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest():
    network = model()
    muon, adamw = build("muon", network, lr=0.02, betas=(0.8, 0.9), weight_decay=0.3)
    assert isinstance(muon, Muon)
    assert isinstance(adamw, AdamW)
    (matrices,) = muon.param_groups
    assert [id(p) for p in matrices["params"]] == [id(network.up.weight)]
    assert matrices["adjust_lr_fn"] == "match_rms_adamw"
    assert (matrices["lr"], matrices["momentum"], matrices["weight_decay"]) == (0.02, 0.95, 0.3)
    assert matrices["eps"] == 1e-7
    tables, vectors = adamw.param_groups
    assert [id(p) for p in tables["params"]] == [
        id(network.embed_tokens.weight),
        id(network.lm_head.weight),
    ]
    assert (tables["weight_decay"], vectors["weight_decay"]) == (0.3, 0.0)
    assert (tables["lr"], tables["betas"]) == (0.02, (0.8, 0.9))


def test_muon_has_options_of_its_own():
    options = {"adamw_lr": 0.001, "adjust_lr_fn": "original", "ns_steps": 3, "nesterov": False}
    muon, adamw = build("muon", lr=0.02, momentum=0.8, options=options)
    group = muon.param_groups[0]
    found = [group[key] for key in ("lr", "momentum", "adjust_lr_fn", "ns_steps", "nesterov")]
    assert found == [0.02, 0.8, "original", 3, False]
    assert adamw.param_groups[0]["lr"] == 0.001


def test_muon_without_matrices_or_without_the_rest_is_one_optimizer():
    (only,) = build("muon", nn.Linear(3, 3, bias=False))
    assert isinstance(only, Muon)
    (only,) = build("muon", nn.LayerNorm(3))
    assert isinstance(only, AdamW)
    classifier = nn.ModuleDict({"head": nn.Linear(3, 3, bias=False)})
    (only,) = build("muon", classifier)
    assert isinstance(only, AdamW)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("adam", Adam),
        ("adagrad", Adagrad),
        ("sgd", SGD),
        ("lion", Lion),
        ("adafactor", Adafactor),
        ("RMSprop", RMSprop),
    ],
)
def test_a_built_optimizer_lowers_a_loss(name, cls):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    (optimizer,) = build(name, network, lr=0.01, weight_decay=0.0)
    assert type(optimizer) is cls
    inputs = torch.randn(32, 4)
    losses = []
    for _ in range(20):
        loss = (network(inputs) - inputs.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
