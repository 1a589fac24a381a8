"""The official clients of OpenAI and Anthropic, each before every kind of provider."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
import yaml

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.providers.mock import DOT
from raylm_apps.gateway.providers.registry import KINDS
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.apps.gateway.providers.polyglot_server import (
    ARGUMENTS,
    COUNTED,
    TOOL,
    WORDS,
    PolyglotServer,
    polyglot_server,
)

pytestmark = pytest.mark.services
QUESTION = f"{TOOL}({json.dumps(ARGUMENTS)})"  # which the mock calls because it is asked to
RESULT = "mild"
PICTURE = base64.b64encode(DOT).decode()
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
USER: Any = {"role": "user", "content": QUESTION}


@dataclass(frozen=True)
class Kind:
    """`path` is where the server speaks its format; None: it has no server."""

    name: str
    model: str
    path: str | None
    embedding: str | None = None
    counts: bool = False

    @property
    def id(self) -> str:
        return f"of-{self.name}/{self.model}"

    @property
    def words(self) -> str:
        return "".join(WORDS) if self.path else f"I have no tools. {QUESTION} "


EVERY = (
    Kind("openai", "m", "/openai/v1", "m"),
    Kind("openai-responses", "m", "/openai/v1", "m"),
    Kind("anthropic", "m", "/anthropic", counts=True),
    Kind("google", "gemini-m", "/google", "vectors"),
    Kind("raylm", "m", "/openai/v1", "m"),
    Kind("mock", "tools", None),
)


@pytest.fixture(scope="module")
def server() -> Iterator[PolyglotServer]:
    with polyglot_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    server: PolyglotServer, stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("every-kind")
    providers = {
        f"of-{kind.name}": {
            "kind": kind.name,
            **({"base_url": server.url + kind.path} if kind.path else {}),
        }
        for kind in EVERY
    }
    path = folder / "providers.yaml"
    path.write_text(yaml.safe_dump({"providers": providers}))
    variables = environment(stores, folder, RAYLM_PROVIDERS=str(path), RAYLM_V1_ACCESS="anyone")
    with GatewayProcess(folder / "log", variables) as process:
        yield process


@pytest.fixture(params=EVERY, ids=lambda kind: str(kind.name))
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def of_openai(gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    url = f"{gateway.base_url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def of_anthropic(gateway: GatewayProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.base_url, api_key="none", max_retries=0) as client:
        yield client


def test_no_kind_is_left_out() -> None:
    assert {kind.name for kind in EVERY} == KINDS.keys()


def test_openai_whole(of_openai: openai.OpenAI, kind: Kind) -> None:
    answer = of_openai.chat.completions.create(model=kind.id, messages=[USER])
    assert answer.choices[0].message.content == kind.words
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_openai_stream(of_openai: openai.OpenAI, kind: Kind) -> None:
    options: Any = {"include_usage": True}
    chunks = list(
        of_openai.chat.completions.create(
            model=kind.id, messages=[USER], stream=True, stream_options=options
        )
    )
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == kind.words
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_openai_tools(of_openai: openai.OpenAI, kind: Kind, stream: bool) -> None:
    function: Any = {"name": TOOL, "description": "The weather.", "parameters": SCHEMA}
    asked: Any = {"model": kind.id, "tools": [{"type": "function", "function": function}]}
    completions = of_openai.chat.completions
    if stream:
        with completions.stream(**asked, messages=[USER]) as events:
            called = events.get_final_completion()
    else:
        called = completions.create(**asked, messages=[USER])
    assert called.choices[0].finish_reason == "tool_calls"
    message = called.choices[0].message
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == (TOOL, ARGUMENTS)
    told = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    turns = [USER, message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"})]
    answer = completions.create(**asked, messages=[*turns, told])
    assert (answer.choices[0].message.content or "").strip() == f"The tool said: {RESULT}"


def test_openai_embeddings(of_openai: openai.OpenAI, kind: Kind) -> None:
    if kind.embedding is None:
        with pytest.raises(openai.BadRequestError, match="makes no embeddings"):
            of_openai.embeddings.create(model=kind.id, input=["a", "bcd"])
        return
    model = f"of-{kind.name}/{kind.embedding}"
    answer = of_openai.embeddings.create(model=model, input=["a", "bcd"])
    assert [vector.embedding for vector in answer.data] == [[1.0, 1.0], [3.0, 1.0]]


def test_openai_models(of_openai: openai.OpenAI, kind: Kind) -> None:
    assert kind.id in {model.id for model in of_openai.models.list()}
    model = of_openai.models.retrieve(kind.id)
    assert (model.id, model.owned_by) == (kind.id, f"of-{kind.name}")


def test_anthropic_whole(of_anthropic: anthropic.Anthropic, kind: Kind) -> None:
    message = of_anthropic.messages.create(model=kind.id, max_tokens=90, messages=[USER])
    (block,) = message.content
    assert block.type == "text"
    assert (block.text, message.stop_reason) == (kind.words, "end_turn")
    assert message.usage.output_tokens > 0


def test_anthropic_stream(of_anthropic: anthropic.Anthropic, kind: Kind) -> None:
    with of_anthropic.messages.stream(model=kind.id, max_tokens=90, messages=[USER]) as stream:
        assert "".join(stream.text_stream) == kind.words
        assert stream.get_final_message().usage.output_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_tools(of_anthropic: anthropic.Anthropic, kind: Kind, stream: bool) -> None:
    tool: Any = {"name": TOOL, "description": "The weather.", "input_schema": SCHEMA}
    asked: Any = {"model": kind.id, "max_tokens": 90, "tools": [tool]}
    if stream:
        with of_anthropic.messages.stream(**asked, messages=[USER]) as events:
            called = events.get_final_message()
    else:
        called = of_anthropic.messages.create(**asked, messages=[USER])
    assert called.stop_reason == "tool_use"
    (call,) = (block for block in called.content if block.type == "tool_use")
    assert (call.name, call.input) == (TOOL, ARGUMENTS)
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": RESULT}
    turns: Any = [
        USER,
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [result]},
    ]
    (block,) = of_anthropic.messages.create(**asked, messages=turns).content
    assert block.type == "text"
    assert block.text.strip() == f"The tool said: {RESULT}"


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind.path], ids=lambda k: str(k.name))
def test_anthropic_tools_that_show_a_picture(
    of_anthropic: anthropic.Anthropic, kind: Kind, server: PolyglotServer
) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    shown = [{"type": "image", "source": source}, {"type": "text", "text": RESULT}]
    turns: Any = [
        USER,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": ARGUMENTS}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": shown}],
        },
    ]
    message = of_anthropic.messages.create(model=kind.id, max_tokens=90, messages=turns)
    (block,) = message.content
    assert block.type == "text"
    assert block.text == f"The tool said: {RESULT}"
    assert json.dumps(server.asked[-1]).count(PICTURE) == 1


def test_anthropic_counts(
    of_anthropic: anthropic.Anthropic, kind: Kind, server: PolyglotServer
) -> None:
    told = of_anthropic.messages.with_raw_response.count_tokens(
        model=kind.id, messages=[USER], system="Be brief."
    )
    estimate = -(-len(QUESTION + "Be brief.") // 3)
    assert told.parse().input_tokens == (COUNTED if kind.counts else estimate)
    assert told.headers["x-raylm-tokens"] == ("counted" if kind.counts else "estimated")
    if kind.counts:
        assert server.asked[-1].keys() == {"model", "messages", "system"}


def test_anthropic_models(of_anthropic: anthropic.Anthropic, kind: Kind) -> None:
    assert kind.id in {model.id for model in of_anthropic.models.list(limit=2)}
    model = of_anthropic.models.retrieve(kind.id)
    assert (model.id, model.type, model.lifecycle) == (kind.id, "model", "active")
