"""Guesses are made where they gain, and not where they do not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.infer.speculation.speculator import Hopes, Speculation, StepCost, best_length


@pytest.mark.parametrize(
    ("probability", "extra", "expected"),
    [
        (0.9, 0.01, 8),  # nearly free and nearly always right
        (0.9, 0.95, 0),  # a guess costs as much as a step
        (0.0, 0.01, 0),  # never right
        (0.5, 0.3, 1),
        (1.0, 0.9, 8),
    ],
)
def test_the_length_that_gains_most(probability: float, extra: float, expected: int) -> None:
    assert best_length(probability, 1.0, extra, 8) == expected


@given(st.floats(0, 1), st.floats(0.01, 10), st.floats(0, 10), st.integers(0, 8))
def test_no_length_gains_more(probability: float, base: float, extra: float, most: int) -> None:
    def rate(length: int) -> float:
        gained = sum(probability**ahead for ahead in range(length + 1))
        return gained / (base + extra * length)

    chosen = rate(best_length(probability, base, extra, most))
    assert chosen >= max(rate(length) for length in range(most + 1)) * (1 - 1e-9)


def test_the_cost_of_a_token_is_read_off_noisy_steps() -> None:
    cost, noise = StepCost(), random.Random(0)
    for step in range(200):
        tokens = 1 + step % 5
        cost.observe(tokens, (8.0 + 2.0 * tokens) * noise.uniform(0.97, 1.03))
    base, slope = cost.line()
    assert (base, slope) == (pytest.approx(8.0, abs=0.5), pytest.approx(2.0, abs=0.2))


def test_steps_all_alike_leave_the_slope_a_guess() -> None:
    cost = StepCost()
    for _ in range(50):
        cost.observe(4, 19.0)
    base, slope = cost.line()
    assert base + 4 * slope == pytest.approx(19.0)
    assert slope == pytest.approx(0.3 * 10.0)


@given(st.lists(st.tuples(st.integers(1, 64), st.floats(1e-4, 1.0)), max_size=30))
def test_no_step_makes_a_cost_negative(steps: list[tuple[int, float]]) -> None:
    cost = StepCost()
    for tokens, seconds in steps:
        cost.observe(tokens, seconds)
    base, slope = cost.line()
    assert base >= -1e-9
    assert slope >= 0


def lived(policy: Speculation, probability: float, tokens: int) -> tuple[list[int], Hopes]:
    """The lengths chosen for a request whose guesses hold with that probability."""
    hopes, draws, lengths = Hopes(), random.Random(1), []
    for _ in range(tokens):
        length = policy.length(hopes, running=1)
        held = 0
        while held < length and draws.random() < probability:
            held += 1
        policy.cost.observe(1 + length, 1.0 + 0.4 * length)
        policy.observe(hopes, length, held)
        lengths.append(length)
    return lengths, hopes


def test_what_never_holds_is_given_up_and_tried_again_now_and_then() -> None:
    lengths, _ = lived(Speculation(most=4), 0.0, 400)
    assert sum(lengths[20:]) <= 400 / 64 + 1
    assert sum(lengths[20:]) >= 3
    assert set(lengths[20:]) == {0, 1}


def test_what_holds_is_guessed_longer() -> None:
    lengths, hopes = lived(Speculation(most=4), 0.95, 300)
    assert hopes.probability > 0.85
    assert lengths[-50:].count(4) > 40


def test_a_change_is_noticed() -> None:
    policy = Speculation(most=4)
    _, hopes = lived(policy, 0.0, 100)
    for _ in range(400):
        length = policy.length(hopes, running=1)
        policy.observe(hopes, length, length)
        if length == 4:
            return
    pytest.fail("guesses that hold again are not made")
