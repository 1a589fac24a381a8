import json
from typing import Any

import pytest

from raylm_apps.gateway.providers.tool_refusals import REMEMBERED_S, ToolRefusals, refuses_tools
from tests.apps.gateway.refusing_server import OPENROUTER, OTHER_MISTAKES, REFUSALS

# Reported of others, beside those that the fake server gives.
MORE = [
    (400, "Unsupported parameter: 'tools' is not supported with this model."),
    (400, "`tool calling` is not supported with this model"),
    (400, "deepseek-reasoner does not support Function Calling"),
    (400, "Function calling is not enabled for this model"),
    (400, "This model does not support the use of tools."),
    (400, "Unrecognized request argument supplied: tools"),
    (400, {"error": {"message": "Unsupported parameter: 'tools'."}}),
    (500, "tools param requires --jinja flag"),
]
UNLIKE = [
    (400, "This model's maximum context length is 8192 tokens"),
    (400, "Invalid schema for function 'getWeather': schema must be of type 'object'"),
    (400, "messages with role 'tool' must follow a message with tool_calls"),
    (400, "tools[0].function.parameters: the keyword 'oneOf' is not supported"),
    (400, "Unsupported parameter: 'tools[0].strict'."),
    (404, "The model `gpt-6` does not exist"),
    (401, "This key does not support tools"),
    (429, "Rate limit reached for tools"),
]


@pytest.mark.parametrize(("status", "body"), [*REFUSALS.values(), *MORE])
def test_a_refusal_of_tools(status: int, body: Any) -> None:
    assert refuses_tools(status, body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize(("status", "body"), [*OTHER_MISTAKES.values(), *UNLIKE])
def test_another_refusal(status: int, body: Any) -> None:
    assert not refuses_tools(status, body if isinstance(body, str) else json.dumps(body))


def test_the_words_alone_are_not_enough() -> None:
    assert not refuses_tools(200, json.dumps(OPENROUTER))


def test_a_refusal_is_forgotten_in_time() -> None:
    now = 0.0
    refusals = ToolRefusals(lambda: now)
    refusals.add("openai/a")
    assert ("openai/a" in refusals, "openai/b" in refusals) == (True, False)
    now = REMEMBERED_S - 1
    assert "openai/a" in refusals
    now = REMEMBERED_S
    assert "openai/a" not in refusals
