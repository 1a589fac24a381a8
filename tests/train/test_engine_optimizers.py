"""Every optimizer sharded over three ranks equals itself in one process."""

import json

import pytest
import torch

from raylm.core.errors import ConfigError
from raylm.core.schema import OptimizerConfig
from raylm.train.initialize import initialize
from raylm.train.optimizers.build import build_optimizers
from tests.ranks import run_ranks
from tests.train.small_models import build, config_of, difference, loss_of, tokens_of
from tests.train.test_engine import run

STEPS = 5
OPTIMIZERS = {
    "adamw": {},
    "adam": {},
    "adagrad": {},
    "sgd": {"momentum": 0.9},
    "lion": {},
    "lamb": {},
    "adafactor": {},
    "muon": {},
    "rmsprop": {},
    "nadam": {},
}


def sharded(rank, stage, settings):
    engine = initialize(build(), config_of(stage, 3, optimizer=settings))
    for step in range(STEPS):
        engine.backward(loss_of(engine, tokens_of(step).chunk(3)[rank]))
        engine.step()
    found = engine.full_state_dict()
    extra = engine.memory_report().optimizer_bytes
    engine.close()
    return found, extra


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_three_ranks_are_one_process(name):
    settings = {"name": name, "lr": 1e-2, "weight_decay": 0.1} | OPTIMIZERS[name]
    model = build()
    optimizers = build_optimizers(dict(model.named_parameters()), OptimizerConfig(**settings))
    for step in range(STEPS):
        model.zero_grad()
        loss_of(model, tokens_of(step)).backward()
        for optimizer in optimizers:
            optimizer.step()
    expected = {n: p.detach() for n, p in model.named_parameters()}
    for stage in (0, 1, 3):
        for found, held in run_ranks(3, sharded, stage, settings):
            assert difference(found, expected) <= 1e-6, stage
            assert held > 0 or name == "adafactor"  # a rank may own no matrix


def users_own(rank, stage):
    model = build()
    groups = [
        {"params": [model.embed.weight], "lr": 0.1},
        {"params": list(model.blocks.parameters())},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.5, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    engine = initialize(model, config_of(stage, 2), optimizer=optimizer, lr_scheduler=scheduler)
    run(engine, 3)
    return engine.full_state_dict(), engine.lr


def test_a_users_optimizer_keeps_its_groups_and_its_scheduler():
    model = build()
    groups = [
        {"params": [model.embed.weight], "lr": 0.1},
        {"params": list(model.blocks.parameters())},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.5, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for step in range(3):
        optimizer.zero_grad()
        loss_of(model, tokens_of(step), skip=step == 2).backward()
        optimizer.step()
        scheduler.step()
    for stage in range(4):
        for found, lr in run_ranks(2, users_own, stage):
            assert lr == pytest.approx(0.1 * 0.5**3)
            assert difference(found, {n: p.detach() for n, p in model.named_parameters()}) <= 1e-11


def test_what_cannot_be_sharded_is_refused_with_the_reason():
    model = build()
    with pytest.raises(ConfigError, match=r"(?i)closure"):
        initialize(model, config_of(1, 1), optimizer=torch.optim.LBFGS(model.parameters()))
    strange = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1)
    with pytest.raises(ConfigError, match="the model does not have"):
        initialize(model, config_of(1, 1), optimizer=strange)


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
