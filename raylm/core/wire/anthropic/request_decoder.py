"""What a client of Anthropic's messages API sends as a prompt."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

import orjson

from raylm.core.wire.anthropic.redacted import as_signature
from raylm.core.wire.anthropic.request_encoder import BUDGETS
from raylm.core.wire.anthropic.requests import (
    AnyBlock,
    AssistantBlock,
    AssistantMessage,
    Base64Image,
    Base64Pdf,
    CountRequest,
    DocumentBlock,
    ImageBlock,
    MessagesRequest,
    PlainText,
    RedactedThinkingBlock,
    SearchResultBlock,
    ShownBlock,
    SystemMessage,
    TextBlock,
    TextContent,
    ThinkingBlock,
    ThinkingBudget,
    ToolChoice,
    ToolResultBlock,
    ToolUseBlock,
    UserBlock,
    UserMessage,
)
from raylm.core.wire.failure import Failure, WireError
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
from raylm.core.wire.prompt import ToolChoice as Choice

EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high"}
_CHOICES: dict[str, Choice] = {"auto": "auto", "any": "required", "none": "none"}
B = TypeVar("B", bound=AnyBlock)
# In this order a turn has them, and Anthropic's own advice is the same.
_ORDER: dict[type, int] = {DocumentBlock: 0, ImageBlock: 1, TextBlock: 2, SearchResultBlock: 2}
_THOUGHT_FIRST: dict[type, int] = {ThinkingBlock: 0, RedactedThinkingBlock: 0}


def prompt_of(request: CountRequest) -> Prompt:
    """Raises WireError where nothing is asked."""
    turns = [*_system(request.system), *_conversation(request)]
    if all(turn.role == "system" or _is_blank(turn) for turn in turns):
        raise WireError(Failure.REQUEST, "messages: there is nothing to answer")
    if request.cache_control is not None:
        turns[-1] = replace(turns[-1], cache=True)
    choice, parallel = _choice(request)
    return Prompt(
        tuple(turns),
        tuple(
            ToolDefinition(tool.name, tool.description, tool.input_schema, tool.strict)
            for tool in request.tools
        ),
        choice,
        parallel,
        _sampling(request) if isinstance(request, MessagesRequest) else Sampling(),
        _output(request),
        _effort(request),
    )


def _conversation(request: CountRequest) -> Iterable[Turn]:
    for message in request.messages:
        match message:
            case SystemMessage():
                yield from _system(message.content)
            case UserMessage():
                yield from _user_turns(message.content)
            case AssistantMessage():
                for run in _runs(message.content, _THOUGHT_FIRST):
                    yield _answer(run)


def _system(texts: Sequence[TextBlock]) -> Iterable[Turn]:
    for run in _runs(texts, _ORDER):
        yield _shown("system", run)


def _user_turns(blocks: Sequence[UserBlock]) -> Iterable[Turn]:
    """Results first, as the protocol has it."""
    said: list[ShownBlock] = []
    for block in blocks:
        if isinstance(block, ToolResultBlock):
            result = _shown("tool", block.content)
            is_cached = block.cache_control is not None
            yield replace(
                result, tool_call_id=block.tool_use_id, is_error=block.is_error, cache=is_cached
            )
        else:
            said.append(block)
    for run in _runs(said, _ORDER):
        yield _shown("user", run)


def _runs(blocks: Sequence[B], order: dict[type, int]) -> Iterable[list[B]]:
    """What fits into one turn each: in its order, and cached as a whole or not at all."""
    run: list[B] = []
    for block in blocks:
        if run and order.get(type(block), 9) < order.get(type(run[-1]), 9):
            yield run
            run = []
        run.append(block)
        if _is_cached(block):
            yield run
            run = []
    if run:
        yield run


def _shown(role: Literal["system", "user", "tool"], blocks: Sequence[ShownBlock]) -> Turn:
    texts: list[str] = []
    images: list[Image | ImageLink] = []
    files: list[File] = []
    for block in blocks:
        match block:
            case TextBlock():
                texts.append(block.text)
            case SearchResultBlock():
                texts.append(_text_of(block.title, block.source, *_texts(block.content)))
            case ImageBlock():
                images.append(_image(block))
            case DocumentBlock(source=Base64Pdf(data=data), title=title, context=context):
                files.append(File("application/pdf", data, title or "document.pdf"))
                texts += [context] if context else []
            case DocumentBlock(source=PlainText(data=text), title=title, context=context):
                texts.append(_text_of(title, context, text))
            case DocumentBlock(source=TextContent(content=content), title=title, context=context):
                texts.append(_text_of(title, context, *_texts(content)))
    is_cached = any(map(_is_cached, blocks))
    text = _text_of(*texts)
    return Turn(role, text, images=tuple(images), files=tuple(files), cache=is_cached)


def _image(block: ImageBlock) -> Image | ImageLink:
    match block.source:
        case Base64Image(media_type=media_type, data=data):
            return Image(media_type, data)
        case link:
            return ImageLink(link.url)


def _answer(blocks: Sequence[AssistantBlock]) -> Turn:
    texts: list[str] = []
    thoughts: list[Thought] = []
    calls: list[ToolCall] = []
    for block in blocks:
        match block:
            case TextBlock():
                texts.append(block.text)
            case ThinkingBlock():
                thoughts.append(Thought(block.thinking, block.signature))
            case RedactedThinkingBlock():
                thoughts.append(Thought("", as_signature(block.data)))
            case ToolUseBlock():
                arguments = orjson.dumps(block.input).decode()
                calls.append(ToolCall(block.id, block.name, arguments))
    return Turn(
        "assistant",
        "".join(texts),  # citations cut a sentence into blocks
        tool_calls=tuple(calls),
        thoughts=tuple(thoughts),
        cache=any(map(_is_cached, blocks)),
    )


def _choice(request: CountRequest) -> tuple[Choice, bool | None]:
    choice = request.tool_choice
    if choice is None:
        return "auto", None
    disabled = choice.disable_parallel_tool_use
    parallel = None if disabled is None else not disabled
    if isinstance(choice, ToolChoice):
        return NamedTool(choice.name), parallel
    return _CHOICES[choice.type], parallel


def _sampling(request: MessagesRequest) -> Sampling:
    return Sampling(
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop=tuple(request.stop_sequences) if request.stop_sequences else None,
    )


def _output(request: CountRequest) -> JsonOutput | None:
    config = request.output_config
    wanted = (config and config.format) or request.output_format
    return JsonOutput(wanted.schema_) if wanted else None


def _effort(request: CountRequest) -> Effort | None:
    """A model that thinks as it sees fit does so with much effort, if nothing else is said."""
    config, thinking = request.output_config, request.thinking
    effort = EFFORTS.get(config.effort, "high") if config and config.effort else None
    match thinking:
        case None:
            return effort
        case ThinkingBudget(budget_tokens=budget):
            fitting = [name for name, tokens in BUDGETS.items() if tokens <= budget]
            return effort or (fitting or ["minimal"])[-1]
        case _:
            return effort or "high" if thinking.type == "adaptive" else None


def _is_cached(block: AnyBlock) -> bool:
    return getattr(block, "cache_control", None) is not None


def _is_blank(turn: Turn) -> bool:
    """Of a tool's result even nothing is something."""
    has_more = turn.images or turn.files or turn.tool_calls or turn.role == "tool"
    return not (has_more or turn.text.strip())


def _texts(blocks: Iterable[TextBlock]) -> list[str]:
    return [block.text for block in blocks]


def _text_of(*texts: str | None) -> str:
    return "\n\n".join(text for text in texts if text)
