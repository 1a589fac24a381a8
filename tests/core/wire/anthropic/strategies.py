"""Prompts and answers of any kind that Anthropic's API can carry."""

from dataclasses import replace
from typing import Any

import orjson
from hypothesis import strategies as st

from raylm.core.wire.anthropic.redacted import as_signature
from raylm.core.wire.events import (
    Event,
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    Source,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    ToolResult,
    Usage,
)
from raylm.core.wire.prompt import (
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

TEXTS = st.text(min_size=1, max_size=12).filter(str.strip)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
BYTES = st.binary(min_size=1, max_size=12)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES, st.none() | st.booleans() | st.integers(-(2**31), 2**31) | TEXTS, max_size=3
)
SCHEMAS = st.builds(
    lambda name: {
        "type": "object",
        "properties": {name: {"type": "string"}},
        "additionalProperties": False,
    },
    NAMES,
)
ARGUMENTS = OBJECTS.map(lambda value: orjson.dumps(value).decode())
CALLS = st.builds(ToolCall, NAMES, NAMES, ARGUMENTS)
IMAGES = st.builds(Image, st.sampled_from(["image/png", "image/webp"]), BYTES) | st.builds(
    ImageLink, NAMES.map("https://example.com/{}".format)
)
FILES = st.builds(File, st.just("application/pdf"), BYTES, TEXTS)
SIGNATURES = st.from_regex(r"[A-Za-z0-9+/]{1,12}", fullmatch=True)
THOUGHTS = st.builds(Thought, TEXTS, SIGNATURES) | st.builds(
    Thought, st.just(""), SIGNATURES.map(as_signature)
)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=2).map(tuple)


SYSTEM_TURNS = st.builds(Turn, st.just("system"), TEXTS, cache=st.booleans())
USER_TURNS = st.builds(
    Turn,
    st.just("user"),
    TEXTS,
    images=tuples(IMAGES),
    files=tuples(FILES),
    cache=st.booleans(),
)
TOOL_TURNS = st.builds(
    Turn,
    st.just("tool"),
    TEXTS | st.just(""),
    tool_call_id=NAMES,
    images=tuples(IMAGES),
    is_error=st.booleans(),
    cache=st.booleans(),
)
ANSWERS = st.builds(
    Turn,
    st.just("assistant"),
    TEXTS,
    tool_calls=tuples(CALLS),
    thoughts=tuples(THOUGHTS),
    cache=st.booleans(),
)
EXCHANGES = st.tuples(tuples(TOOL_TURNS), USER_TURNS, ANSWERS).map(
    lambda parts: (*parts[0], parts[1], parts[2])
)
TOOLS = st.builds(ToolDefinition, NAMES, TEXTS | st.just(""), SCHEMAS, st.none() | st.booleans())


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """As an Anthropic client sends them: with one system turn, and four marks at most."""
    system = draw(tuples(SYSTEM_TURNS))[:1]
    said = [turn for exchange in draw(tuples(EXCHANGES)) for turn in exchange]
    turns = [*system, *said, draw(USER_TURNS)]
    marked = [place for place, turn in enumerate(turns) if turn.cache][:-4]
    for place in marked:
        turns[place] = Turn(**{**vars(turns[place]), "cache": False})
    tools = draw(tuples(TOOLS))
    choices = ["auto", "none", "required", NamedTool("getWeather")]
    choice = draw(st.sampled_from(choices)) if tools else "auto"
    is_parallel = draw(st.none() | st.booleans()) if tools and choice != "none" else None
    sampling = Sampling(
        max_tokens=draw(st.integers(40_000, 60_000)),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(1, 100)),
        stop=draw(st.none() | st.lists(TEXTS, min_size=1, max_size=2).map(tuple)),
    )
    output = draw(st.none() | st.builds(JsonOutput, SCHEMAS))
    return Prompt(tuple(turns), tools, choice, is_parallel, sampling, output)


@st.composite
def calls(draw: st.DrawFn) -> list[Event]:
    call = draw(CALLS)
    cut = draw(st.integers(0, len(call.arguments)))
    pieces = [text for text in (call.arguments[:cut], call.arguments[cut:]) if text]
    deltas = [ToolCallDelta(call.id, text) for text in pieces]
    return [ToolCallStarted(call.id, call.name), *deltas, call]


@st.composite
def searches(draw: st.DrawFn) -> list[Event]:
    """A search's pages are sources, too."""
    urls = draw(st.lists(NAMES.map("https://example.com/{}".format), max_size=2, unique=True))
    pages = [{"type": "web_search_result", "url": url, "title": "A page"} for url in urls]
    found = ToolResult(draw(NAMES), "web_search", orjson.dumps(pages).decode())
    return [found, *(Source(url, "A page") for url in urls), TextDelta(draw(TEXTS))]


BLOCKS = (
    st.lists(st.builds(TextDelta, TEXTS), min_size=1, max_size=2)
    | st.builds(
        lambda texts, signature: [*map(ReasoningDelta, texts), ReasoningSigned(signature)],
        st.lists(TEXTS, max_size=2),
        SIGNATURES,
    )
    | SIGNATURES.map(lambda data: [ReasoningSigned(as_signature(data))])
    | calls()
)
USAGES = st.builds(
    lambda read, written, fresh, out, thought: Usage(
        read + written + fresh, out + thought, read, written, thought
    ),
    *[st.integers(0, 1_000)] * 5,
)
ENDS = st.builds(
    Finished, st.sampled_from(["stop", "length", "tool-calls", "content-filter"]), USAGES
) | st.builds(Finished, st.just("stop"), USAGES, stop_sequence=TEXTS)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """With at most one search, for a page is told once."""
    blocks = draw(st.lists(BLOCKS, max_size=4))
    search = draw(st.just([]) | searches())
    numbered = [_numbered(place, block) for place, block in enumerate([search, *blocks])]
    return [*(event for block in numbered for event in block), draw(ENDS)]


def _numbered(place: int, events: list[Any]) -> list[Event]:
    """A call's id is its own."""
    return [replace(each, id=f"call-{place}") if hasattr(each, "id") else each for each in events]
