from hypothesis import given
from hypothesis import strategies as st

from raylm.core.wire.prompt import Image, Prompt, ToolDefinition, Turn
from raylm_apps.gateway.budgets.estimate import (
    ANSWER_TOKENS,
    TOKENS_PER_IMAGE,
    expected_usage,
    prompt_tokens,
)
from raylm_apps.gateway.providers.base import ModelCard


def card(context_tokens: int | None = None) -> ModelCard:
    return ModelCard("some/model", "model", "some", context_tokens=context_tokens)


def test_the_answer_is_bounded_by_who_asks_then_by_the_model() -> None:
    assert expected_usage(card(), 30, max_tokens=7).output_tokens == 7
    assert expected_usage(card(), 30).output_tokens == ANSWER_TOKENS
    assert expected_usage(card(1_000), 300).output_tokens == 900
    assert expected_usage(card(), 31, images=2).input_tokens == 11 + 2 * TOKENS_PER_IMAGE


@given(st.integers(0, 10**7), st.integers(0, 9), st.none() | st.integers(0, 10**6))
def test_never_more_than_the_context(chars: int, images: int, most: int | None) -> None:
    expected = expected_usage(card(8_192), chars, images, most)
    assert expected.input_tokens <= 8_192
    assert expected.input_tokens + expected.output_tokens <= 8_192 + 1
    assert most is None or expected.output_tokens <= most


def test_tools_and_images_are_read_too() -> None:
    bare = Prompt([Turn("user", "x" * 300)])
    assert prompt_tokens(bare) == 100
    tool = ToolDefinition("t", "d" * 300, {"type": "object"})
    assert prompt_tokens(Prompt(bare.turns, [tool])) > 200
    seen = [Turn("user", "", images=[Image("image/png", b"")])]
    assert prompt_tokens(Prompt(seen)) == TOKENS_PER_IMAGE
