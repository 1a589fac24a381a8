"""An engine goes on in another group from what replicas hold, as if nothing had happened."""

import itertools
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

from raylm.collectives.choose import open_transport
from raylm.runtime.recovery import recover
from raylm.runtime.replica import Replicas, keepings
from raylm.train import snapshot
from raylm.train.initialize import initialize
from tests.ranks import run_ranks

GLOBAL_BATCH, WIDTH = 12, 6
STAGES = (0, 1, 2, 3)
OPTIMIZERS = ("adamw", "sgd", "adafactor", "muon")


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.gain = nn.Parameter(torch.ones(1))
        self.frozen = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.double()

    def forward(self, x):
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return self.frozen(self.gain * x)


def make_engine(stage, optimizer, rank, world_size):
    share = GLOBAL_BATCH // world_size
    config = {
        "batch": {"micro": share},
        "optimizer": {"name": optimizer, "lr": 1e-2},
        "precision": "fp32",
        "zero": {"stage": stage},
    }
    return initialize(Model(), config)


def train(engine, steps):
    share = GLOBAL_BATCH // engine.world_size
    losses = []
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        x, y = torch.randn(2, GLOBAL_BATCH, WIDTH, generator=generator, dtype=torch.float64)
        mine = slice(engine.rank * share, (engine.rank + 1) * share)
        engine.backward((engine(x[mine]) - y[mine]).square().mean())
        engine.step()
        losses.append(engine.mean_loss)
    return losses


def undisturbed(rank, stage, optimizer):
    engine = make_engine(stage, optimizer, rank, 1)
    return train(engine, range(6)), engine.full_state_dict()


def resized(rank, sizes, stages, optimizer, link):
    """Two steps in a group of each size; ranks beyond a size wait for their turn."""
    store = _get_default_store()
    dist.destroy_process_group()
    kept, former_rank, losses = [], -1, []
    for epoch, (size, stage) in enumerate(zip(sizes, stages, strict=True)):
        if rank >= size:
            kept, former_rank = [], -1
            continue
        prefix = PrefixStore(f"epoch-{epoch}", store)
        dist.init_process_group("gloo", store=prefix, rank=rank, world_size=size)
        transport = open_transport(torch.device("cpu"), timeout_s=30, link=link)
        engine = make_engine(stage, optimizer, rank, size)
        if epoch:
            found = recover(
                transport, kept, partial(snapshot.wanted, engine, former_rank=former_rank)
            )
            assert found.step == 2 * epoch
            snapshot.restore(engine, found.snapshot, former_rank)
            assert engine.global_steps == 2 * epoch
        former_rank = rank
        replicas = Replicas(transport, keepings(["a"] * size, 2)[rank], epoch)
        losses += train(engine, range(2 * epoch, 2 * epoch + 2))
        replicas.hold(2 * epoch + 2, snapshot.take(engine))
        replicas.wait()
        state = engine.full_state_dict()
        kept = [replicas]
        dist.barrier()
        replicas.close()
        engine.abandon()
        dist.destroy_process_group()
    return losses, state


def check(results, expected):
    losses, state = expected
    assert results[0][0] == pytest.approx(losses, rel=1e-12)
    for name, value in state.items():
        torch.testing.assert_close(results[0][1][name], value, rtol=0, atol=1e-11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stage", STAGES)
def test_the_trajectory_is_that_of_one_group(stage, optimizer):
    [expected] = run_ranks(1, undisturbed, stage, optimizer)
    results = run_ranks(3, resized, (3, 2, 3), (stage,) * 3, optimizer, "auto")
    check(results, expected)


@pytest.mark.parametrize("sizes", list(itertools.permutations((1, 2, 3))))
def test_over_sockets_and_at_any_sizes(sizes):
    [expected] = run_ranks(1, undisturbed, 2, "adamw")
    check(run_ranks(3, resized, sizes, (2, 2, 2), "adamw", "gloo"), expected)


def test_the_stage_may_change_on_the_way():
    [expected] = run_ranks(1, undisturbed, 0, "adamw")
    check(run_ranks(2, resized, (2, 1, 2), (3, 0, 1), "adamw", "auto"), expected)
