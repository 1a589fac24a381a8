"""What a drawn token may be, and how often it is which."""

import torch

import raylm_kernels as rk

LOGITS = torch.tensor([2.0, 0.0, 3.0, 1.0, -1.0])  # by likelihood: 2, 0, 3, 1, 4


def draw(count=4000, *, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """By evenly spread numbers: how often each token comes is then exact to 1 / count."""
    full = torch.full((count,), 1.0)
    tokens = rk.sample(
        LOGITS.expand(count, -1),
        torch.arange(count) / count,
        full * temperature,
        (full * top_k).long(),
        full * top_p,
        full * min_p,
    )
    return torch.bincount(tokens, minlength=5) / count


def test_tokens_come_as_often_as_they_are_likely():
    torch.testing.assert_close(draw(), LOGITS.softmax(-1), atol=1e-3, rtol=0)
    torch.testing.assert_close(draw(temperature=2.0), (LOGITS / 2).softmax(-1), atol=1e-3, rtol=0)


def test_temperature_zero_takes_the_likeliest():
    assert draw(temperature=0.0)[2] == 1.0


def test_top_k_keeps_so_many():
    found = draw(top_k=2)
    assert set(found.nonzero().flatten().tolist()) == {0, 2}
    expected = LOGITS[[2, 0]].softmax(-1)
    torch.testing.assert_close(found[[2, 0]], expected, atol=1e-3, rtol=0)


def test_top_p_keeps_the_fewest_that_sum_to_it():
    p = LOGITS.softmax(-1)
    assert set(draw(top_p=float(p[2]) - 0.01).nonzero().flatten().tolist()) == {2}
    assert set(draw(top_p=float(p[2]) + 0.01).nonzero().flatten().tolist()) == {0, 2}
    assert draw(top_p=0.0)[2] == 1.0  # the likeliest always stays


def test_top_p_counts_what_top_k_has_left():
    two = LOGITS[[2, 0]].softmax(-1)
    assert set(draw(top_k=2, top_p=float(two[0]) - 0.01).nonzero().flatten().tolist()) == {2}


def test_min_p_is_a_part_of_the_likeliest():
    p = LOGITS.softmax(-1)
    found = draw(min_p=float(p[3] / p[2]) - 0.01)
    assert set(found.nonzero().flatten().tolist()) == {0, 2, 3}


def test_masked_tokens_are_never_drawn():
    logits = torch.tensor([[0.0, -torch.inf, 0.0, -torch.inf]])
    ones = torch.ones(1)
    for number in (0.0, 0.499, 0.5, 0.999999, 1.0):
        token = rk.sample(logits, ones * number, ones, ones.long() * 0, ones, ones * 0)
        assert token.item() in (0, 2)
