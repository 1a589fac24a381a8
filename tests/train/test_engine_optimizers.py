"""Every optimizer on three ranks against the same one on whole tensors in one process."""

import json

import pytest
import torch

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.initialize import initialize
from raylm.train.optimizers.build import build_optimizers
from tests.ranks import run_ranks
from tests.train.small_models import build, config_of, loss_of, share_of, tokens_of

STEPS, WORLD = 5, 3
SETTINGS = {
    "adamw": {},
    "adam": {"weight_decay": 0.01},
    "adagrad": {},
    "sgd": {"momentum": 0.9},
    "lion": {"lr": 1e-3},
    "lamb": {},
    "adafactor": {},
    "muon": {"options": {"adamw_lr": 3e-3}},
    "rmsprop": {"momentum": 0.5, "lr": 1e-3},  # its first step is ten times the rate
    "nadam": {"decays": "all"},
    "radam": {},
    "adamax": {},
    "asgd": {},
    "adadelta": {"lr": 0.5},
    "rprop": {"lr": 1e-3},
}


def settings_of(name):
    return {"name": name, "lr": 1e-2} | SETTINGS[name]


def train_all(rank, stage):
    found = {}
    for name in SETTINGS:
        config = config_of(stage, WORLD, optimizer=settings_of(name), gradient_clipping=1.0)
        engine = initialize(build(torch.float32), config)
        for step in range(STEPS):
            engine.backward(loss_of(engine, *share_of(step, rank, WORLD)))
            engine.step()
        found[name] = engine.full_state_dict()
        engine.close()
    return found


def train_whole(name):
    model = build(torch.float32)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizers = build_optimizers(
        dict(model.named_parameters()), OptimizerConfig.load(settings_of(name))
    )
    for step in range(STEPS):
        model.zero_grad()
        loss_of(model, tokens_of(step)).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for optimizer in optimizers:
            optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}


def worst(found, expected):
    gaps = {n: (found[n] - p).abs().max().item() for n, p in expected.items() if p.numel()}
    return max((gap, name) for name, gap in gaps.items())


@pytest.mark.parametrize("stage", [0, 1, 3])
def test_every_optimizer_equals_the_unsharded_one(stage):
    expected = {name: train_whole(name) for name in SETTINGS}
    start = dict(build(torch.float32).named_parameters())
    for found in run_ranks(WORLD, train_all, stage):
        gaps = {name: worst(found[name], expected[name]) for name in SETTINGS}
        assert not {name: gap for name, gap in gaps.items() if gap[0] > 1e-6}
    assert all(worst(expected[name], start)[0] > 1e-4 for name in SETTINGS)  # they did train


class Halving(torch.optim.Optimizer):
    """A user's own: each tensor's step is relative to the norm of all of it."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self.state[p]["last"] = p.grad.norm()
                    p.add_(p.grad / (p.grad.norm() + 1), alpha=-group["lr"] * float(p.norm()))


def own_optimizer(model, cls, **options):
    trained = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for n, p in trained if "embed" in n], "lr": 3e-3},
        {"params": [p for n, p in trained if "embed" not in n and p.ndim > 1], "lr": 1e-2},
        {"params": [p for n, p in trained if p.ndim < 2]},
    ]
    optimizer = cls(groups, lr=5e-3, **options)
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.2, 1.0, 2),
            torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.7),
        ],
        [2],
    )
    return optimizer, scheduler


CHOICES = (
    (torch.optim.AdamW, {"amsgrad": True, "fused": True}),
    (torch.optim.AdamW, {"maximize": True, "foreach": False}),
    (torch.optim.SGD, {"nesterov": True, "momentum": 0.8}),
    (Halving, {}),
)


def train_own(rank, stage):
    found = []
    for cls, options in CHOICES:
        model = build(torch.float32)
        optimizer, scheduler = own_optimizer(model, cls, **options)
        engine = initialize(model, config_of(stage, WORLD), optimizer, scheduler)
        rates = []
        for step in range(STEPS):
            engine.backward(loss_of(engine, *share_of(step, rank, WORLD)))
            rates.append([group["lr"] for group in optimizer.param_groups])
            engine.step()
        found.append((engine.full_state_dict(), rates))
        engine.close()
    return found


@pytest.mark.filterwarnings("ignore:The epoch parameter")  # SequentialLR calls itself with one
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_users_own_optimizer_with_groups_and_a_schedule(stage):
    results = run_ranks(WORLD, train_own, stage)
    for place, (cls, options) in enumerate(CHOICES):
        model = build(torch.float32)
        optimizer, scheduler = own_optimizer(model, cls, **options)
        rates = []
        for step in range(STEPS):
            optimizer.zero_grad()
            loss_of(model, tokens_of(step)).backward()
            rates.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            scheduler.step()
        expected = {name: p.detach() for name, p in model.named_parameters()}
        for result in results:
            parameters, found_rates = result[place]
            assert found_rates == rates
            assert worst(parameters, expected)[0] <= 1e-6, (cls, options)


def stepped_before(rank, stage):
    """The optimizer brings momentum along, and the parameters an old gradient."""
    model = build(torch.float32)
    optimizer, _ = own_optimizer(model, torch.optim.AdamW)
    for step in range(2):
        optimizer.zero_grad()
        loss_of(model, tokens_of(step)).backward()
        optimizer.step()
    engine = initialize(model, config_of(stage, WORLD), optimizer)
    for step in range(2, 4):
        engine.backward(loss_of(engine, *share_of(step, rank, WORLD)))
        engine.step()
    return engine.full_state_dict()


def test_an_optimizer_that_has_stepped_before():
    model = build(torch.float32)
    optimizer, _ = own_optimizer(model, torch.optim.AdamW)
    for step in range(4):
        optimizer.zero_grad()
        loss_of(model, tokens_of(step)).backward()
        optimizer.step()
    expected = {name: p.detach() for name, p in model.named_parameters()}
    for stage in (1, 3):
        for found in run_ranks(WORLD, stepped_before, stage):
            assert worst(found, expected)[0] <= 1e-6


def test_what_cannot_be_sharded_is_refused_with_the_reason():
    model = build()
    with pytest.raises(ConfigError, match=r"LBFGS.*closure"):
        initialize(model, config_of(3, 1), torch.optim.LBFGS(model.parameters()))
    with pytest.raises(ConfigError, match=r"lbfgs.*closure"):
        initialize(build(), config_of(3, 1, optimizer={"name": "lbfgs"}))
    with pytest.raises(ConfigError, match=r"SparseAdam.*sparse"):
        initialize(build(), config_of(3, 1, optimizer={"name": "SparseAdam"}))
    with pytest.raises(ConfigError, match=r"adamv.*adam"):
        initialize(build(), config_of(3, 1, optimizer={"name": "adamv"}))
    strange = torch.optim.SGD([torch.nn.Parameter(torch.ones(4, 2))])
    with pytest.raises(ConfigError, match=r"group 0 .*\(4, 2\).*model\.parameters"):
        initialize(build(), config_of(1, 1), strange)


def test_a_deepspeed_file_opens_the_same_engine(tmp_path):
    path = tmp_path / "ds_config.json"
    config = {
        "train_micro_batch_size_per_gpu": 4,
        "optimizer": {"type": "AdamW", "params": {"lr": 0.01, "weight_decay": 0.1}},
        "zero_optimization": {"stage": 2},
        "flops_profiler": {"enabled": True},
    }
    path.write_text(json.dumps(config))
    with pytest.warns(UserWarning, match="flops_profiler"):
        engine = initialize(build(), path)
    assert (engine.sharding.stage, engine.lr, engine.config.gradient_clipping) == (2, 0.01, None)
    assert {group["weight_decay"] for group in engine.optimizer.groups} == {0.1}
    path.write_text(json.dumps(config | {"train_batch_size": 7}))
    with pytest.raises(ConfigError, match="train_batch_size 7"):
        initialize(build(), path)
