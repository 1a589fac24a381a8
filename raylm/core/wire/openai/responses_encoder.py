"""A prompt as the body of OpenAI's Responses."""

from collections.abc import Iterator, Sequence
from typing import Any

from raylm.core.wire.openai.reasoning_signature import ReasoningSignature
from raylm.core.wire.prompt import (
    File,
    Image,
    ImageLink,
    JsonOutput,
    NamedTool,
    Prompt,
    Thought,
    ToolDefinition,
    Turn,
)

SAMPLING_NAMES = {"max_tokens": "max_output_tokens", "temperature": "temperature", "top_p": "top_p"}
Json = dict[str, Any]


def responses_request(prompt: Prompt, model: str, *, reasons: bool = False) -> Json:
    """With `stream`, and nothing kept at OpenAI's: the thoughts of a model that `reasons` are
    given to us, encrypted; other models refuse to be asked for them.

    Responses know no stop strings, seeds and penalties.
    Source: https://platform.openai.com/docs/api-reference/responses/create
    """
    sampling = prompt.sampling.to_dict()
    return {
        "model": model,
        "input": [item for turn in prompt.turns for item in _items(turn)],
        "stream": True,
        "store": False,
        **{its: sampling[ours] for ours, its in SAMPLING_NAMES.items() if ours in sampling},
        **(_tools(prompt) if prompt.tools else {}),
        **({"text": {"format": _format(prompt.output)}} if prompt.output else {}),
        **(_reasoning(prompt) if reasons else {}),
    }


def _items(turn: Turn) -> Iterator[Json]:
    match turn.role:
        case "assistant":
            yield from _answer_items(turn)
        case "tool":
            call_id, output = turn.tool_call_id, _content(turn)
            yield {"type": "function_call_output", "call_id": call_id, "output": output}
        case role:
            yield {"role": role, "content": _content(turn)}


def _answer_items(turn: Turn) -> Iterator[Json]:
    """A thought that nothing follows is refused."""
    if turn.text or turn.tool_calls:
        yield from _thoughts(turn.thoughts)
    if turn.text:
        yield {"role": "assistant", "content": turn.text}
    for call in turn.tool_calls:
        fields = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
        yield {"type": "function_call", **fields}


def _thoughts(thoughts: Sequence[Thought]) -> Iterator[Json]:
    for thought in thoughts:
        if thought.signature:
            signature = ReasoningSignature.parse(thought.signature)
            text = [{"type": "summary_text", "text": thought.text}] if thought.text else []
            yield {
                "type": "reasoning",
                "id": signature.item_id,
                "summary": text,
                "encrypted_content": signature.encrypted_content,
            }


def _content(turn: Turn) -> str | list[Json]:
    if not (turn.images or turn.files):
        return turn.text
    text = [{"type": "input_text", "text": turn.text}] if turn.text else []
    return [*text, *map(_image, turn.images), *map(_file, turn.files)]


def _image(image: Image | ImageLink) -> Json:
    url = image.url if isinstance(image, ImageLink) else image.data_url
    return {"type": "input_image", "detail": "auto", "image_url": url}


def _file(file: File) -> Json:
    return {"type": "input_file", "filename": file.name, "file_data": file.data_url}


def _tools(prompt: Prompt) -> Json:
    choice: str | Json
    match prompt.tool_choice:
        case NamedTool(name):
            choice = {"type": "function", "name": name}
        case choice:
            pass
    parallel = prompt.parallel_tools
    return {
        "tools": [*map(_function, prompt.tools)],
        "tool_choice": choice,
        **({} if parallel is None else {"parallel_tool_calls": parallel}),
    }


def _function(tool: ToolDefinition) -> Json:
    """Strict must be denied: unlike in chat completions it is what silence means."""
    return {"type": "function", **vars(tool), "strict": bool(tool.strict)}


def _format(output: JsonOutput) -> Json:
    if output.schema is None:
        return {"type": "json_object"}
    fields = {"name": output.name, "schema": output.schema, "strict": output.strict}
    return {"type": "json_schema", **fields}


def _reasoning(prompt: Prompt) -> Json:
    effort = {"effort": prompt.effort} if prompt.effort else {}
    return {
        "reasoning": {**effort, "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }
