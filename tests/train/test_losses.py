import math

import torch

from raylm.data.packing import IGNORED
from raylm.train.losses import next_token_loss


def test_a_uniform_guess_costs_the_logarithm_of_the_vocabulary():
    loss, count = next_token_loss(torch.zeros(2, 3, 7), torch.ones(2, 3, dtype=torch.long))
    assert count == 6
    torch.testing.assert_close(loss, torch.tensor(6 * math.log(7)))


def test_ignored_targets_count_for_nothing():
    logits = torch.randn(2, 3, 7)
    targets = torch.tensor([[1, 2, IGNORED], [IGNORED, IGNORED, 6]])
    loss, count = next_token_loss(logits, targets)
    logprobs = logits.log_softmax(-1)
    expected = -(logprobs[0, 0, 1] + logprobs[0, 1, 2] + logprobs[1, 2, 6])
    assert count == 3
    torch.testing.assert_close(loss, expected)


def test_half_precision_logits_are_summed_in_float32():
    logits = torch.randn(4, 64, 32, dtype=torch.bfloat16)
    targets = torch.randint(0, 32, (4, 64))
    loss, _ = next_token_loss(logits, targets)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, next_token_loss(logits.float(), targets)[0])
