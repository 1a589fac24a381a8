"""Both runners against the decoder without a cache."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from raylm.core.sampling import SamplingParams
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.packed import PackedRunner, decoder_dims
from raylm.infer.runners.runner import Runner, TorchRunner
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Chunk, Plan
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource
from raylm_kernels.cpu import build

BLOCK_SIZE = 16
SIZES = {"num_blocks": 12, "block_size": BLOCK_SIZE, "threads": 1}
MakeRunner = Callable[[ModelSource], Runner]

FIRST = list(range(3, 40))
SECOND = list(range(200, 150, -1))


def torch_runner(source: ModelSource) -> Runner:
    return TorchRunner(Decoder.from_source(source), **SIZES)


def packed_runner(source: ModelSource) -> Runner:
    return PackedRunner(source, weight_bits=8, **SIZES)


def int8_cache_runner(source: ModelSource) -> Runner:
    return PackedRunner(source, weight_bits=8, kv_bits=8, **SIZES)


needs_kernels = pytest.mark.skipif(not build.available()[0], reason=build.available()[1])
RUNNERS = [
    pytest.param(torch_runner, 1e-4, id="torch"),
    # int8 activations; a token read from a wrong block gives more than 1
    pytest.param(packed_runner, 0.25, id="packed", marks=needs_kernels),
    pytest.param(int8_cache_runner, 0.25, id="int8 cache", marks=needs_kernels),
]


def make(tokens: list[int], blocks: list[int]) -> Request:
    return Request("r", tokens, len(tokens), 999, SamplingParams(), seed=0, blocks=blocks)


def run(runner: Runner, *chunks: tuple[Request, int, int]) -> torch.Tensor:
    plan = Plan(tuple(Chunk(r, start, length, samples=True) for r, start, length in chunks))
    return runner.forward(Batch.of(plan))


def whole(source: ModelSource, tokens: list[int]) -> torch.Tensor:
    """The logits of every position, computed at once."""
    with torch.no_grad():
        return Decoder.from_source(source)(torch.tensor([tokens]))[0]


def assert_near(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    error = (found - expected).norm() / expected.norm()
    assert float(error) < tolerance


@pytest.mark.parametrize(("make_runner", "tolerance"), RUNNERS)
def test_prefill_and_decode_equal_the_whole_sequence(
    tiny_source: ModelSource, make_runner: MakeRunner, tolerance: float
) -> None:
    runner = make_runner(tiny_source)
    expected = whole(tiny_source, FIRST)
    request = make(FIRST, [5, 0, 9])
    assert_near(run(runner, (request, 0, 20))[0], expected[19], tolerance)
    for position in range(20, len(FIRST)):
        assert_near(run(runner, (request, position, 1))[0], expected[position], tolerance)


@pytest.mark.parametrize(("make_runner", "tolerance"), RUNNERS)
def test_chunks_of_one_prompt_equal_the_whole(
    tiny_source: ModelSource, make_runner: MakeRunner, tolerance: float
) -> None:
    runner = make_runner(tiny_source)
    expected = whole(tiny_source, FIRST)
    request = make(FIRST, [3, 1, 2])
    for start, length in ((0, 1), (1, 15), (16, 3), (19, 18)):
        found = run(runner, (request, start, length))
        assert_near(found[0], expected[start + length - 1], tolerance)


@pytest.mark.parametrize(("make_runner", "tolerance"), RUNNERS)
def test_prefills_and_decodes_share_a_batch(
    tiny_source: ModelSource, make_runner: MakeRunner, tolerance: float
) -> None:
    runner = make_runner(tiny_source)
    one, two = whole(tiny_source, FIRST), whole(tiny_source, SECOND)
    first, second, third = (
        make(FIRST, [5, 0, 9]),
        make(SECOND, [1, 2, 3, 4]),
        make(FIRST, [8, 7, 6]),
    )
    run(runner, (first, 0, 30), (second, 0, 7))
    found = run(runner, (first, 30, 1), (second, 7, 43), (third, 0, 37))
    for row, expected in zip(found, (one[30], two[49], one[36]), strict=True):
        assert_near(row, expected, tolerance)
    found = run(runner, (first, 31, 1), (second, 49, 1), (third, 36, 1))
    for row, expected in zip(found, (one[31], two[49], one[36]), strict=True):
        assert_near(row, expected, tolerance)


@pytest.mark.parametrize(("make_runner", "tolerance"), RUNNERS)
def test_only_the_wanted_rows_have_logits(
    tiny_source: ModelSource, make_runner: MakeRunner, tolerance: float
) -> None:
    runner = make_runner(tiny_source)
    request = make(FIRST, [0, 1, 2])
    unfinished = Chunk(request, 0, 5, samples=False)
    assert runner.forward(Batch.of(Plan((unfinished,)))).shape == (0, tiny_source.spec.vocab_size)


@pytest.mark.parametrize(("make_runner", "tolerance"), RUNNERS)
def test_the_likeliest_are_those_of_the_logits(
    tiny_source: ModelSource, make_runner: MakeRunner, tolerance: float
) -> None:
    runner = make_runner(tiny_source)
    first, second = make(FIRST, [0, 1, 2]), make(SECOND, [3, 4, 5, 6])
    plan = Plan((Chunk(first, 0, 37, samples=True), Chunk(second, 0, 50, samples=True)))
    logits, likeliest = runner.forward(Batch.of(plan)), runner.likeliest(Batch.of(plan))
    assert torch.equal(likeliest.logits_R, logits.amax(dim=-1))
    assert likeliest.ids_R.tolist() == logits.argmax(dim=-1).tolist()
    unfinished = Batch.of(Plan((Chunk(first, 0, 5, samples=False),)))
    assert len(runner.likeliest(unfinished).ids_R) == 0


def test_half_precision_stays_near(tiny_source: ModelSource) -> None:
    decoder = Decoder.from_source(tiny_source, torch.bfloat16)
    runner = TorchRunner(decoder, **SIZES)
    found = run(runner, (make(FIRST, [0, 1, 2]), 0, len(FIRST)))
    assert found.dtype == torch.float32
    assert_near(found[0], whole(tiny_source, FIRST)[-1], 0.1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_logits(tiny_source: ModelSource) -> None:
    runner = TorchRunner(Decoder.from_source(tiny_source, device="cuda"), **SIZES)
    request = make(FIRST, [5, 0, 9])
    run(runner, (request, 0, 20))
    found = run(runner, (request, 20, 1), (make(SECOND, [1, 2, 3, 4]), 0, 50))
    assert_near(found[0].cpu(), whole(tiny_source, FIRST)[20], 1e-3)
    assert_near(found[1].cpu(), whole(tiny_source, SECOND)[49], 1e-3)


def test_a_shape_the_kernels_do_not_cover_is_named(tiny_source: ModelSource) -> None:
    with pytest.raises(ValueError, match="hidden_size is 72"):
        decoder_dims(replace(tiny_source.spec, hidden_size=72))
