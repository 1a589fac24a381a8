"""Bytes held and bytes sent, against the formulas of the ZeRO paper."""

import gc

import pytest
import torch
from torch import nn

from raylm.train.initialize import initialize
from tests.ranks import run_ranks

WIDTH, LAYERS = 512, 20  # 5.2 million parameters


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS))

    def init_parameter(self, name, parameter):
        nn.init.normal_(parameter, std=WIDTH**-0.5)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x.float().square().mean()


def config_of(stage, precision="fp32"):
    zero = {"stage": stage, "bucket_bytes": 2**20, "prefetch_bytes": WIDTH * WIDTH * 4}
    return {"batch": {"micro": 1}, "precision": precision, "zero": zero}


def formula(stage, world, precision):
    """Bytes a parameter: parameters, gradients, optimizer (with the master copy in bf16)."""
    size, state = (4, 8) if precision == "fp32" else (2, 12)
    whole = {0: (1, 1, 1), 1: (1, 1, world), 2: (1, world, world), 3: (world, world, world)}[stage]
    return size / whole[0] + size / whole[1] + state / whole[2]


def storages():
    found = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and not thing.is_meta:
            storage = thing.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())


def train(rank, stage, precision):
    torch.manual_seed(0)
    with torch.device("meta"):
        model = Deep()
    before = storages()
    engine = initialize(model, config_of(stage, precision))
    residency, gathered = engine.sharding.residency, []
    for layer in model.layers:
        layer.register_forward_hook(lambda *_: gathered.append(residency.gathered_bytes))
        layer.register_full_backward_hook(lambda *_: gathered.append(residency.gathered_bytes))
    for step in range(3):
        if step == 2:
            engine.comm_report().reset()
            gathered.clear()
        engine.backward(engine(torch.ones(1, WIDTH, requires_grad=True)))
        engine.step()
    engine.sharding.settle()
    report, sent = engine.memory_report(), engine.comm_report().bytes_sent
    seen = storages() - before - report.staging_bytes
    if engine.world_size > 1:  # peers' memory, mapped here, is counted where it lives
        seen -= (engine.world_size - 1) * shared_bytes(engine)
    return report, sent, seen, max(gathered)


def shared_bytes(engine):
    """Of the buffers that every rank can read: all but private gradient shards."""
    sharding = engine.sharding
    flats = sum(flat.held_bytes for flat in sharding.flats)
    gradients = sharding.gradient_bytes if sharding.stage < 2 else 0
    return flats + gradients + sharding.staging_bytes


@pytest.mark.parametrize("world", [2, 4])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_bytes_held_and_sent_are_the_theorys(world, precision):
    parameters = LAYERS * WIDTH * WIDTH
    itemsize = 4 if precision == "fp32" else 2
    for stage in range(4):
        for report, sent, seen, gathered in run_ranks(world, train, stage, precision):
            held = report.param_bytes + report.grad_bytes + report.optimizer_bytes
            assert held <= 1.02 * parameters * formula(stage, world, precision), stage
            assert seen <= 1.03 * held, (stage, seen, held)
            volume = (3 if stage == 3 else 2) * parameters * (world - 1) / world
            assert 0.9 * volume <= sent / itemsize <= 1.02 * volume, stage
            unit = WIDTH * WIDTH * itemsize
            assert gathered <= (unit + config_of(stage)["zero"]["prefetch_bytes"]) * (stage == 3)


def access(rank, stage):
    engine = initialize(Deep(), config_of(stage))
    engine.backward(engine(torch.ones(1, WIDTH)))
    name = "layers.3.weight"
    gradient = engine.get_full_grad(name)
    engine.set_full_grad(name, torch.zeros_like(gradient))
    assert engine.get_full_grad(name).abs().max() == 0
    engine.set_full_grad(name, gradient)
    engine.step()
    value = torch.arange(WIDTH * WIDTH, dtype=torch.float32).view(WIDTH, WIDTH) / WIDTH**2
    engine.set_full_param(name, value)
    engine.set_full_optimizer_state(name, "exp_avg", value)
    assert torch.equal(engine.get_full_param(name), value)
    assert torch.equal(engine.get_full_optimizer_state(name, "exp_avg"), value)
    assert torch.equal(engine.full_state_dict()[name], value)
    assert bool(engine.full_state_dict(rank0_only=True)) == (rank == 0)
    with pytest.raises(KeyError, match=r"did you mean 'layers.3.weight'"):
        engine.get_full_param("layers.3.wieght")
    with pytest.raises(KeyError, match="exp_avg_sq"):
        engine.get_full_optimizer_state(name, "exp_avg_sqr")
    return gradient.norm().item()


def test_whole_tensors_by_name_at_every_stage():
    norms = [run_ranks(2, access, stage)[0] for stage in range(4)]
    assert norms == pytest.approx([norms[0]] * 4, rel=1e-6)
