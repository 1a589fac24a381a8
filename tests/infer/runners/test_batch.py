import torch

from raylm.core.sampling import SamplingParams
from raylm.infer.runners.batch import Batch
from raylm.infer.scheduling.request import Request
from raylm.infer.scheduling.scheduler import Chunk, Plan


def make(tokens: list[int], blocks: list[int]) -> Request:
    return Request("r", tokens, len(tokens), 99, SamplingParams(), seed=0, blocks=blocks)


def test_a_plan_becomes_flat_ragged_arrays() -> None:
    prefill = make([10, 11, 12, 13, 14, 15], [4, 2])
    decode = make([20, 21, 22], [7])
    batch = Batch.of(
        Plan(
            (
                Chunk(decode, start=2, length=1, samples=True),
                Chunk(prefill, start=1, length=3, samples=False),
                Chunk(prefill, start=4, length=2, samples=True),
            )
        )
    )
    assert batch.tokens_N.tolist() == [22, 11, 12, 13, 14, 15]
    assert batch.positions_N.tolist() == [2, 1, 2, 3, 4, 5]
    assert batch.sequence_starts_S1.tolist() == [0, 1, 4, 6]
    assert batch.block_tables_SB.tolist() == [[7, 0], [4, 2], [4, 2]]
    assert batch.logit_rows_R.tolist() == [0, 5]
    assert batch.tokens_N.dtype == batch.block_tables_SB.dtype == torch.int32


def test_a_plan_that_draws_nothing_wants_no_logits() -> None:
    batch = Batch.of(Plan((Chunk(make([1, 2, 3], [0]), start=0, length=2, samples=False),)))
    assert batch.logit_rows_R.shape == (0,)
    assert batch.logit_rows_R.dtype == torch.int32
