"""The body of OpenAI's chat completions as a prompt for any provider."""

import base64
import binascii
from collections.abc import Iterable

from raylm.core.errors import RequestError
from raylm.core.wire.openai.chat_request import (
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    NamedChoice,
    OtherPart,
    Part,
    RefusalPart,
    TextPart,
)
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
    ToolChoice,
    ToolDefinition,
    Turn,
)

EFFORTS: dict[str, Effort | None] = {
    "none": None,
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}


def prompt_of(request: ChatRequest) -> Prompt:
    """Raises RequestError for what only servers of OpenAI's own format can do."""
    _refuse_what_has_no_translation(request)
    return Prompt(
        [_turn(message, f"messages[{place}]") for place, message in enumerate(request.messages)],
        [ToolDefinition(**tool.function.model_dump()) for tool in request.tools],
        _choice(request),
        request.parallel_tool_calls,
        _sampling(request),
        _output(request),
        EFFORTS[request.reasoning_effort] if request.reasoning_effort else None,
        user=request.user,
    )


def _choice(request: ChatRequest) -> ToolChoice:
    choice = request.tool_choice
    return NamedTool(choice.function.name) if isinstance(choice, NamedChoice) else choice or "auto"


def _sampling(request: ChatRequest) -> Sampling:
    return Sampling(
        max_tokens=request.most_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=request.stop or None,
        seed=request.seed,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
    )


def _output(request: ChatRequest) -> JsonOutput | None:
    form = request.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object" or form.json_schema is None:
        return JsonOutput()
    schema = form.json_schema
    return JsonOutput(schema.schema_, schema.name, schema.strict)


def _refuse_what_has_no_translation(request: ChatRequest) -> None:
    for asked, param in (
        (request.n > 1, "n"),
        (request.logprobs, "logprobs"),
        (request.logit_bias, "logit_bias"),
        (request.modalities != ["text"], "modalities"),
        (request.functions, "functions"),
    ):
        if asked:
            raise _untranslatable(param)


def _turn(message: Message, place: str) -> Turn:
    if message.role == "tool":
        if message.tool_call_id is None:
            raise RequestError("a tool's message needs tool_call_id", param=f"{place}.tool_call_id")
        return Turn(
            "tool",
            _text(message.content),
            tool_call_id=message.tool_call_id,
            images=_images(message, place),
            files=_files(message, place),
        )
    thought = message.reasoning_content
    return Turn(
        "system" if message.role == "developer" else message.role,
        _text(message.content),
        [
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls
        ],
        images=_images(message, place),
        files=_files(message, place),
        thoughts=[Thought(thought)] if thought else [],
        cache=any(isinstance(part, TextPart) and part.cache_control for part in message.content),
    )


def _images(message: Message, place: str) -> list[Image | ImageLink]:
    return [_image(part, place) for part in message.content if isinstance(part, ImagePart)]


def _files(message: Message, place: str) -> list[File]:
    return [_file(part, place) for part in message.content if isinstance(part, FilePart)]


def _text(parts: Iterable[Part]) -> str:
    text = ""
    for part in parts:
        match part:
            case TextPart():
                text += part.text
            case RefusalPart():
                text += part.refusal
            case OtherPart():
                raise _untranslatable(f"messages.content.{part.type}")
    return text


def _image(part: ImagePart, place: str) -> Image | ImageLink:
    url = part.image_url.url
    if url.startswith(("https://", "http://")):
        return ImageLink(url)
    return Image(*_data(url, f"{place}.content.image_url.url"))


def _file(part: FilePart, place: str) -> File:
    if part.file.file_data is None:
        param = f"{place}.content.file.file_data"
        raise RequestError("a file is sent as file_data, a data: URL", param=param)
    media_type, data = _data(part.file.file_data, f"{place}.content.file.file_data")
    return File(media_type, data, part.file.filename)


def _data(url: str, param: str) -> tuple[str, bytes]:
    """Of `data:image/png;base64,...`."""
    head, comma, encoded = url.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    if not (comma and head.startswith("data:") and head.endswith(";base64") and "/" in media_type):
        raise RequestError(f"{url[:40]!r} is neither https: nor data:TYPE;base64,...", param=param)
    try:
        return media_type, base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise RequestError(f"the data is not base64: {error}", param=param) from None


def _untranslatable(param: str) -> RequestError:
    return RequestError(
        f"{param} is only possible with models whose server speaks OpenAI's own format", param=param
    )
