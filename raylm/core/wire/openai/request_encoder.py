"""A prompt as the body of OpenAI's chat completions."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from raylm.core.wire.prompt import File, Image, ImageLink, JsonOutput, NamedTool, Prompt, Turn

SEE_BELOW = "(The result is shown in the next message.)"


def chat_request(prompt: Prompt, model: str) -> dict[str, Any]:
    """With `stream`; the bound is `max_completion_tokens`, for reasoning models refuse the other.

    Source: https://platform.openai.com/docs/api-reference/chat/create
    """
    sampling = prompt.sampling.to_dict()
    sampling.pop("top_k", None)  # OpenAI has none
    if "max_tokens" in sampling:
        sampling["max_completion_tokens"] = sampling.pop("max_tokens")
    return {
        "model": model,
        "messages": [*_messages(prompt.turns)],
        "stream": True,
        "stream_options": {"include_usage": True},
        **sampling,
        **_tools(prompt),
        **({"response_format": _format(prompt.output)} if prompt.output else {}),
        **({"reasoning_effort": prompt.effort} if prompt.effort else {}),
    }


def _messages(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """Results have text alone: what tools have shown is the user's to show, after all of them."""
    names = {call.id: call.name for turn in turns for call in turn.tool_calls}
    for is_result, group in groupby(turns, key=lambda turn: turn.role == "tool"):
        some = list(group)
        yield from map(_message, some)
        if is_result and (shown := [part for turn in some for part in _shown(turn, names)]):
            yield {"role": "user", "content": shown}


def _shown(turn: Turn, names: Mapping[str, str]) -> list[dict[str, Any]]:
    media = [*map(_image, turn.images), *map(_file, turn.files)]
    name = names.get(turn.tool_call_id or "", "the tool")
    return [{"type": "text", "text": f"What {name} has shown:"}, *media] if media else []


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        text = turn.text or (SEE_BELOW if turn.images or turn.files else "")
        return {"role": "tool", "tool_call_id": turn.tool_call_id, "content": text}
    if not turn.tool_calls:
        return {"role": turn.role, "content": _content(turn)}
    calls = [
        {"id": call.id, **_function({"name": call.name, "arguments": call.arguments})}
        for call in turn.tool_calls
    ]
    return {"role": turn.role, "content": turn.text or None, "tool_calls": calls}


def _content(turn: Turn) -> str | list[dict[str, Any]]:
    if not (turn.images or turn.files):
        return turn.text
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    return [*text, *map(_image, turn.images), *map(_file, turn.files)]


def _image(image: Image | ImageLink) -> dict[str, Any]:
    url = image.url if isinstance(image, ImageLink) else image.data_url
    return {"type": "image_url", "image_url": {"url": url}}


def _file(file: File) -> dict[str, Any]:
    return {"type": "file", "file": {"filename": file.name, "file_data": file.data_url}}


def _tools(prompt: Prompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    choice: str | dict[str, Any]
    match prompt.tool_choice:
        case NamedTool(name):
            choice = _function({"name": name})
        case choice:
            pass
    parallel = prompt.parallel_tools
    return {
        "tools": [_function(_definition(vars(tool))) for tool in prompt.tools],
        "tool_choice": choice,
        **({} if parallel is None else {"parallel_tool_calls": parallel}),
    }


def _definition(tool: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tool.items() if value is not None}


def _function(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": fields}


def _format(output: JsonOutput) -> dict[str, Any]:
    if output.schema is None:
        return {"type": "json_object"}
    schema = {"name": output.name, "schema": output.schema, "strict": output.strict}
    return {"type": "json_schema", "json_schema": schema}
