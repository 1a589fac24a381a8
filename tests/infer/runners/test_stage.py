"""Batches over stages of a few ranks give the logits of the one runner that has it all."""

from functools import cache

import pytest
import torch

from raylm.collectives.alone import AloneTransport
from raylm.collectives.choose import open_transport
from raylm.core.errors import ConfigError
from raylm.core.topology import Topology
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import TorchRunner
from raylm.infer.runners.stage import StageRunner
from raylm.models.decoder import Decoder
from raylm.parallel.pipeline import DecoderStage, StageShard
from tests.parallel.split_models import SPECS, relative_error, source, spec
from tests.ranks import run_ranks

SIZES = {"num_blocks": 12, "block_size": 4}
FIRST, SECOND = [3 * n % 90 for n in range(24)], [(7 * n + 5) % 90 for n in range(24)]
TABLES = [5, 0, 9, 1, 2, 7], [3, 11, 4, 10, 6, 8]


def batch(*parts):
    """Of (tokens, blocks, start, length, whether it samples)."""
    tokens, positions, starts, rows = [], [], [0], []
    for sequence, _, start, length, samples in parts:
        tokens += sequence[start : start + length]
        positions += range(start, start + length)
        starts.append(len(tokens))
        rows += [len(tokens) - 1] if samples else []
    tables = [blocks for _, blocks, *_ in parts]
    arrays = (tokens, positions, starts, tables, rows)
    return Batch(*(torch.tensor(array, dtype=torch.int32) for array in arrays))


BATCHES = [
    batch((FIRST, TABLES[0], 0, 7, False)),
    batch((FIRST, TABLES[0], 7, 6, True), (SECOND, TABLES[1], 0, 5, False)),
    batch((FIRST, TABLES[0], 13, 1, True), (SECOND, TABLES[1], 5, 11, True)),
    batch((FIRST, TABLES[0], 14, 1, True), (SECOND, TABLES[1], 16, 1, True)),
    batch((SECOND, TABLES[1], 17, 1, True)),
]


def compute(rank, topology):
    """Of every model and batch, the logits of a rank's part of the vocabulary."""
    ranks = open_transport(torch.device("cpu"), timeout_s=30.0, parts=topology.stages)
    results = {}
    for name, model in SPECS.items():
        shard = StageShard.of(model, topology, rank)
        stage = DecoderStage.from_source(source(model), shard, ranks)
        runner = StageRunner(stage, topology, rank, **SIZES)
        results[name] = [runner.forward(batch) for batch in BATCHES]
    ranks.close()
    return results


@cache
def results(topology):
    return run_ranks(topology.world_size, compute, topology)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("sizes", [(2, 1), (1, 2), (1, 3), (2, 2)])
def test_the_logits_are_those_of_one_runner(sizes, name):
    topology = Topology(*sizes)
    whole = TorchRunner(Decoder.from_source(source(SPECS[name])), threads=1, **SIZES)
    *others, last = topology.stages
    answers = [ranks[name] for ranks in results(topology)]
    assert all(answers[rank] == [None] * len(BATCHES) for stage in others for rank in stage)
    for number, given in enumerate(BATCHES):
        found = torch.cat([answers[rank][number] for rank in last], dim=1)
        expected = whole.forward(given)
        assert found.shape == expected.shape
        if len(expected):
            assert relative_error(found, expected) < 1e-5


def test_more_stages_than_layers_are_named():
    with pytest.raises(ConfigError, match="num_layers 3 cannot be split over 4 pipeline stages"):
        StageShard.of(spec(), Topology(pipeline=4), 0)


def test_the_cache_of_a_rank_is_its_part_of_the_whole():
    whole = TorchRunner.token_bytes(spec(), torch.float32)
    topology = Topology(2, 3)
    parts = [StageShard.of(spec(), topology, rank).token_bytes(torch.float32) for rank in range(6)]
    assert parts == [whole // 6] * 6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_stage_on_a_gpu_gives_the_same_logits():
    whole = TorchRunner(Decoder.from_source(source(spec())), threads=1, **SIZES)
    shard = StageShard.of(spec(), Topology(), 0)
    stage = DecoderStage.from_source(source(spec()), shard, AloneTransport(), device="cuda")
    runner = StageRunner(stage, Topology(), 0, **SIZES)
    for given in BATCHES[1:]:
        assert relative_error(runner.forward(given).cpu(), whole.forward(given)) < 1e-3
