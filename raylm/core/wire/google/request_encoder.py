"""A prompt as the body of Google's generateContent."""

import base64
import re
from collections.abc import Sequence
from itertools import groupby
from mimetypes import guess_type
from typing import Any
from urllib.parse import urlsplit

import orjson

from raylm.core.wire.prompt import (
    Effort,
    File,
    Image,
    ImageLink,
    JsonOutput,
    NamedTool,
    Prompt,
    Sampling,
    Thought,
    ToolCall,
    ToolDefinition,
    Turn,
)
from raylm.core.wire.tool_naming import tool_name

MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
SAMPLING_NAMES = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "stop": "stopSequences",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}
# Up to Gemini 2.5 thinking has a budget, what Google's own OpenAI-compatible route makes of effort.
BUDGETS: dict[Effort, int] = {"minimal": 1_024, "low": 1_024, "medium": 8_192, "high": 24_576}
_SHOWS = re.compile(r"gemini-([3-9]|\d\d)")  # of older ones no result may hold a picture
HAVE_BUDGETS = ("gemini-2", "gemini-flash-lite-latest")
Json = dict[str, Any]


def generate_request(prompt: Prompt, model: str, *, reasons: bool = False) -> Json:
    """Of a model that `reasons` the thoughts are asked for, too; others refuse to be asked.

    Google has no say over parallel calls, and caches what comes again without a hint.
    Source: https://ai.google.dev/api/generate-content
    """
    names = {call.id: call.name for turn in prompt.turns for call in turn.tool_calls}
    system = [{"text": turn.text} for turn in prompt.turns if turn.role == "system" and turn.text]
    generation = {
        **_sampling(prompt.sampling),
        **(_output(prompt.output) if prompt.output else {}),
        **({"thinkingConfig": _thinking(prompt.effort, model)} if reasons else {}),
    }
    return {
        "contents": _contents(prompt.turns, names, shows=_SHOWS.match(model) is not None),
        **({"systemInstruction": {"parts": system}} if system else {}),
        **(_tools(prompt) if prompt.tools else {}),
        **({"generationConfig": generation} if generation else {}),
    }


def _contents(turns: Sequence[Turn], names: dict[str, str], *, shows: bool) -> list[Json]:
    """Results stand together, one for each call of the turn before them, or Google refuses; what
    they show is a part of them, where a model takes that, or stands beside them."""
    contents = []
    for role, same in groupby(turns, key=lambda turn: turn.role):
        parts = [part for turn in same for part in _parts(turn, names, shows=shows)]
        if role != "system" and parts:
            contents.append({"role": "model" if role == "assistant" else "user", "parts": parts})
    return contents


def _parts(turn: Turn, names: dict[str, str], *, shows: bool) -> list[Json]:
    media = [*map(_image, turn.images), *map(_inline, turn.files)]
    match turn.role:
        case "assistant":
            return [*_spoken(turn.text, turn.thoughts), *media, *map(_call, turn.tool_calls)]
        case "tool":
            inside, beside = (media, []) if shows else ([], media)
            return [_result(turn, names, inside), *beside]
        case _:
            return [*([{"text": turn.text}] if turn.text else []), *media]


def _spoken(text: str, thoughts: Sequence[Thought]) -> list[Json]:
    """A signature without a thought is the text's."""
    signed = [thought for thought in thoughts if thought.signature]
    parts = [
        {"text": thought.text, "thought": True, "thoughtSignature": thought.signature}
        for thought in signed
        if thought.text
    ]
    of_text = [thought.signature for thought in signed if not thought.text]
    if of_text:
        return [*parts, {"text": text, "thoughtSignature": of_text[-1]}]
    return [*parts, {"text": text}] if text else parts


def _call(call: ToolCall) -> Json:
    part: Json = {"functionCall": {"id": call.id, "name": call.name, "args": _arguments(call)}}
    return {**part, "thoughtSignature": call.signature} if call.signature else part


def _arguments(call: ToolCall) -> Json:
    """Only an object can be told; of what else a model wrote nothing is."""
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _result(turn: Turn, names: dict[str, str], media: Sequence[Json]) -> Json:
    call_id = turn.tool_call_id or ""
    response: Json = {
        "id": call_id,
        "name": names.get(call_id, tool_name("")),
        "response": {"error" if turn.is_error else "output": turn.text},
        **({"parts": [*media]} if media else {}),
    }
    return {"functionResponse": response}


def _image(image: Image | ImageLink) -> Json:
    if isinstance(image, Image):
        return _inline(image)
    kind, _ = guess_type(urlsplit(image.url).path)
    return {"fileData": {"fileUri": image.url, "mimeType": kind or "image/jpeg"}}


def _inline(file: Image | File) -> Json:
    data = base64.b64encode(file.data).decode()
    return {"inlineData": {"mimeType": file.media_type, "data": data}}


def _sampling(sampling: Sampling) -> Json:
    return {SAMPLING_NAMES[name]: value for name, value in sampling.to_dict().items()}


def _output(output: JsonOutput) -> Json:
    schema = {} if output.schema is None else {"responseJsonSchema": output.schema}
    return {"responseMimeType": "application/json", **schema}


def _thinking(effort: Effort | None, model: str) -> Json:
    asked: Json = {"includeThoughts": True}
    if effort is None:
        return asked
    if model.startswith(HAVE_BUDGETS):
        return {**asked, "thinkingBudget": BUDGETS[effort]}
    return {**asked, "thinkingLevel": effort.upper()}


def _tools(prompt: Prompt) -> Json:
    calling: Json
    match prompt.tool_choice:
        case NamedTool(name):
            calling = {"mode": "ANY", "allowedFunctionNames": [name]}
        case choice:
            calling = {"mode": MODES[choice]}
    return {
        "tools": [{"functionDeclarations": [*map(_declaration, prompt.tools)]}],
        "toolConfig": {"functionCallingConfig": calling},
    }


def _declaration(tool: ToolDefinition) -> Json:
    return {
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema": tool.parameters,
    }
