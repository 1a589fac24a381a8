"""A prompt as the body of Anthropic's messages API."""

from collections.abc import Mapping
from typing import Any

from raylm.core.wire.anthropic.abilities import Abilities
from raylm.core.wire.anthropic.content_encoder import ContentEncoder
from raylm.core.wire.prompt import Effort, JsonOutput, NamedTool, Prompt, Sampling, ToolDefinition

DEFAULT_MAX_TOKENS = 32_000  # there must be a bound, and longer answers are rare
BUDGETS: dict[Effort, int] = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_000}
LEAST_BUDGET = 1_024
NEWEST_MODEL = Abilities()
VERSION = "2026-10-21"
VERSION_WITH_SAMPLING = "2023-06-01"
_COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}
)
_SAMPLING = frozenset({"temperature", "top_p", "top_k"})
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def messages_request(
    prompt: Prompt, model: str, abilities: Abilities = NEWEST_MODEL
) -> dict[str, Any]:
    """With `stream`. What the model has no setting for is left out. Raises WireError.

    Source: https://platform.claude.com/docs/en/api/messages
    """
    encoder = ContentEncoder(prompt.turns)
    max_tokens = prompt.sampling.max_tokens or min(
        DEFAULT_MAX_TOKENS, abilities.max_tokens or DEFAULT_MAX_TOKENS
    )
    thinking = _thinking(prompt, max_tokens, abilities)
    config = {**_effort(prompt, abilities), **_format(prompt.output)}
    system = encoder.system(*_any_json(prompt.output))
    return {
        "model": model,
        "max_tokens": max_tokens,
        "messages": encoder.messages(),
        "stream": True,
        **({"system": system} if system else {}),
        **_tools(prompt),
        **({"thinking": thinking} if thinking else {}),
        **({"output_config": config} if config else {}),
        **_sampling(prompt.sampling, is_sampled=abilities.sampled and not thinking),
    }


def count_request(
    prompt: Prompt, model: str, abilities: Abilities = NEWEST_MODEL
) -> dict[str, Any]:
    """For the number of tokens that a model would read. Raises WireError.

    Source: https://platform.claude.com/docs/en/api/messages-count-tokens
    """
    request = messages_request(prompt, model, abilities)
    return {name: value for name, value in request.items() if name in _COUNTED}


def version_of(request: Mapping[str, Any]) -> str:
    """The newest version of the API that takes the request: it has no sampling any more."""
    return VERSION_WITH_SAMPLING if _SAMPLING & request.keys() else VERSION


def _sampling(sampling: Sampling, *, is_sampled: bool) -> dict[str, Any]:
    """Of temperature and top_p the models take one; penalties and seeds there are none."""
    stop = [text for text in sampling.stop or () if text.strip()]
    chosen: dict[str, Any] = {"stop_sequences": stop} if stop else {}
    if not is_sampled:
        return chosen
    if sampling.temperature is not None:
        chosen["temperature"] = min(sampling.temperature, 1.0)
    elif sampling.top_p is not None:
        chosen["top_p"] = sampling.top_p
    if sampling.top_k is not None:
        chosen["top_k"] = sampling.top_k
    return chosen


def _thinking(prompt: Prompt, max_tokens: int, abilities: Abilities) -> dict[str, Any]:
    """Not where a tool must be called: the two are refused together."""
    is_forced = bool(prompt.tools) and prompt.tool_choice not in ("auto", "none")
    if prompt.effort is None or not abilities.thinks or is_forced:
        return {}
    if abilities.adaptive:
        return {"type": "adaptive", "display": "summarized"}
    budget = min(BUDGETS[prompt.effort], max_tokens // 2)
    return {"type": "enabled", "budget_tokens": budget} if budget >= LEAST_BUDGET else {}


def _effort(prompt: Prompt, abilities: Abilities) -> dict[str, Any]:
    if prompt.effort is None or not abilities.adaptive:
        return {}
    return {"effort": "low" if prompt.effort == "minimal" else prompt.effort}


def _format(output: JsonOutput | None) -> dict[str, Any]:
    if output is None or output.schema is None:
        return {}
    return {"format": {"type": "json_schema", "schema": _closed(output.schema)}}


def _any_json(output: JsonOutput | None) -> list[str]:
    """There is no setting for JSON without a schema, so the model is told."""
    if output is None or output.schema is not None:
        return []
    return ["Answer with one JSON object and nothing else: no prose, no code fence."]


def _closed(schema: Any) -> Any:
    """Objects without further properties, as Anthropic demands; they fit the open schema too."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if closed.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


def _tools(prompt: Prompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    choice: dict[str, Any]
    match prompt.tool_choice:
        case NamedTool(name):
            choice = {"type": "tool", "name": name}
        case word:
            choice = {"type": _CHOICES[word]}
    if prompt.parallel_tools is not None and prompt.tool_choice != "none":
        choice["disable_parallel_tool_use"] = not prompt.parallel_tools
    return {"tools": [_tool(tool) for tool in prompt.tools], "tool_choice": choice}


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    return {
        "name": tool.name,
        **({"description": tool.description} if tool.description else {}),
        "input_schema": {"type": "object", **tool.parameters},
        **({} if tool.strict is None else {"strict": tool.strict}),
    }
