"""Recorded decode steps answer as plain ones do, on a GPU."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
import torch

from raylm.core.sampling import SamplingParams
from raylm.infer.engine import Engine
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import TorchRunner
from raylm.infer.scheduling.scheduler import Limits
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
PROMPTS = [list(range(3 + i, 20 + 9 * i)) for i in range(9)]


def answers(source: ModelSource, device: str, wanted: SamplingParams, **limits: int):
    """Of all prompts together, in a pool so small that some are preempted."""
    decoder = Decoder.from_source(source, torch.float64, device)
    runner = TorchRunner(decoder, num_blocks=60, block_size=16, threads=1)
    engine = Engine(
        runner,
        source.tokenizer,
        vocab_size=source.spec.vocab_size,
        max_model_len=512,
        limits=Limits(**({"max_running": 6, "max_batch_tokens": 64} | limits)),
    )
    found: dict[str, list[int]] = {}
    for number, prompt in enumerate(PROMPTS):
        engine.submit(engine.requests_for(str(number), prompt, wanted))
    while engine.has_work:
        for name, delta in engine.step():
            found.setdefault(name, []).extend(delta.token_ids)
    assert engine.stats().free_blocks == 60
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        SamplingParams(max_tokens=120, temperature=0, ignore_eos=True),
        SamplingParams(max_tokens=60, seed=7, top_p=0.9, ignore_eos=True),
        SamplingParams(max_tokens=60, seed=7, presence_penalty=1.0, ignore_eos=True),
    ],
)
def test_a_gpu_answers_as_the_cpu_does(tiny_source: ModelSource, wanted: SamplingParams) -> None:
    """In fp64, so that no rounding decides; through graphs of several sizes and ids that were
    never on the CPU when they were read."""
    assert answers(tiny_source, "cuda", wanted) == answers(tiny_source, "cpu", wanted)


@pytest.fixture(params=[False, True], ids=["one after another", "overlapping"])
def overlaps(request: pytest.FixtureRequest) -> Iterator[None]:
    pytest.importorskip("triton")
    from raylm_kernels.triton.overlap import overlapping

    with overlapping() if request.param else nullcontext():
        yield


@pytest.mark.usefixtures("overlaps")
@pytest.mark.parametrize("sequences", [1, 3])
def test_recorded_steps_by_fused_kernels_give_the_logits_of_the_whole(
    tiny_source: ModelSource, sequences: int
) -> None:
    """In fp32, which Triton takes; step after step, so that one that begins too early is found."""
    decoder = Decoder.from_source(tiny_source, device="cuda")
    runner = TorchRunner(decoder, num_blocks=12, block_size=16, threads=1)
    tokens, tables = list(range(5, 60)), [[4, 1, 7, 2], [0, 3, 5, 6], [8, 9, 10, 11]][:sequences]
    whole = Decoder.from_source(tiny_source)(torch.tensor([tokens]))[0].detach()
    for position in range(len(tokens)):
        flat = [tokens[position]] * sequences, [position] * sequences
        rows = list(range(sequences))
        arrays = (*flat, [*rows, sequences], tables, rows)
        batch = Batch(*(torch.tensor(array, dtype=torch.int32) for array in arrays))
        found = runner.forward(batch).cpu()
        torch.testing.assert_close(
            found, whole[position].expand(sequences, -1), atol=2e-3, rtol=2e-3
        )


def test_company_changes_no_answer(tiny_source: ModelSource) -> None:
    wanted = SamplingParams(max_tokens=90, temperature=0, ignore_eos=True)
    alone = answers(tiny_source, "cuda", wanted, max_running=1)
    assert answers(tiny_source, "cuda", wanted) == alone
