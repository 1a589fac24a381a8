"""A decoder split over ranks computes what the whole one does."""

from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raylm.collectives.alone import AloneTransport
from raylm.collectives.choose import open_transport
from raylm.core.errors import ConfigError
from raylm.core.topology import Topology
from raylm.nn.attention import CausalAttention
from raylm.parallel.pipeline import DecoderStage, StageShard
from raylm.parallel.tensor import TensorShard
from tests.parallel.split_models import SPECS, relative_error, source, spec, whole_logits
from tests.ranks import run_ranks

TOKENS = torch.arange(24).mul(37).remainder(96).view(2, 12)


def compute(rank, size):
    """This rank's logits of every model, what it read, and what it holds."""
    context = CausalAttention(*TOKENS.shape, torch.device("cpu"))
    ranks = open_transport(torch.device("cpu"), timeout_s=30.0)
    results = {}
    for name, model in SPECS.items():
        opened = source(model)
        stage = DecoderStage.from_source(opened, StageShard.of(model, Topology(size), rank), ranks)
        logits = stage.logits(stage(TOKENS.flatten(), context))
        held = sum(parameter.numel() for parameter in stage.parameters())
        results[name] = logits, opened.weights.read, held
    ranks.close()
    return results


def split(name, size):
    """Whether it can be."""
    kv_heads = SPECS[name].num_kv_heads
    return kv_heads >= size or size % kv_heads == 0


@cache
def results(size):
    return run_ranks(size, compute, size)


SPLITS = [(name, size) for size in (2, 4) for name in SPECS if split(name, size)]


@pytest.mark.parametrize(("name", "size"), SPLITS)
def test_the_ranks_logits_are_those_of_the_whole(name, size):
    parts = [rank[name][0] for rank in results(size)]
    found = torch.cat(parts, dim=1)
    assert relative_error(found, whole_logits(SPECS[name], TOKENS)) < 1e-5


@pytest.mark.parametrize(("name", "size"), SPLITS)
def test_a_rank_reads_what_it_holds_and_no_more(name, size):
    whole = SPECS[name].num_parameters
    for _, read, held in (rank[name] for rank in results(size)):
        assert read == held
        assert held < whole


def test_one_rank_alone_is_the_whole():
    stage = DecoderStage.from_source(
        source(spec()), StageShard.of(spec(), Topology(), 0), AloneTransport()
    )
    context = CausalAttention(*TOKENS.shape, torch.device("cpu"))
    found = stage.logits(stage(TOKENS.flatten(), context))
    assert relative_error(found, whole_logits(spec(), TOKENS)) < 1e-5


@given(kv_heads=st.integers(1, 12), per_kv_head=st.integers(1, 8), size=st.integers(1, 16))
def test_every_head_lies_with_its_keys(kv_heads, per_kv_head, size):
    heads = kv_heads * per_kv_head
    model = spec(num_heads=heads, num_kv_heads=kv_heads, intermediate_size=64)
    if heads < size or (kv_heads < size and size % kv_heads):
        with pytest.raises(ConfigError):
            TensorShard(model, 0, size)
        return
    shards = [TensorShard(model, rank, size) for rank in range(size)]
    assert [head for shard in shards for head in shard.query_heads] == list(range(heads))
    for shard in shards:
        local = shard.local_spec
        shared_by = local.num_heads // local.num_kv_heads
        for place, head in enumerate(shard.query_heads):
            assert shard.kv_heads[place // shared_by] == head // per_kv_head


@pytest.mark.parametrize(
    ("changes", "size", "message"),
    [
        (
            {"num_heads": 6, "num_kv_heads": 3},
            4,
            "4 tensor-parallel .* num_kv_heads 3; use at most 3",
        ),
        ({}, 16, "num_heads 8 cannot be split over 16"),
        ({"intermediate_size": 3}, 4, "intermediate_size 3 cannot be split over 4"),
    ],
)
def test_a_model_that_cannot_be_split_is_named(changes, size, message):
    with pytest.raises(ConfigError, match=message):
        TensorShard(spec(**changes), 0, size)


def test_nothing_of_a_split_model_learns():
    stage = DecoderStage.from_source(
        source(spec()), StageShard.of(spec(), Topology(), 0), AloneTransport()
    )
    assert not any(parameter.requires_grad for parameter in stage.parameters())
