import pytest
import torch

from raylm.infer.runners.batch import Batch
from raylm.serve.batch_message import decode, encode


def ints(*values):
    return torch.tensor(values, dtype=torch.int32)


@pytest.mark.parametrize(("rows", "wants_logits"), [((), True), ((2,), False), ((2, 3), True)])
def test_a_batch_comes_out_as_it_went_in(rows, wants_logits):
    sent = Batch(
        tokens_N=ints(7, 8, 9, 5),
        positions_N=ints(0, 1, 2, 40),
        sequence_starts_S1=ints(0, 3, 4),
        block_tables_SB=torch.tensor([[1, 0, 0], [4, 3, 2]], dtype=torch.int32),
        logit_rows_R=ints(*rows),
    )
    found, wanted = decode(bytearray(encode(sent, wants_logits=wants_logits)))
    assert wanted is wants_logits
    for name in (
        "tokens_N",
        "positions_N",
        "sequence_starts_S1",
        "block_tables_SB",
        "logit_rows_R",
    ):
        assert torch.equal(getattr(found, name), getattr(sent, name))
        assert getattr(found, name).dtype == torch.int32
