"""A group of models at /v1: who comes next, before and after an answer's first words."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment, parts_of
from tests.apps.gateway.openai_server import SECRET, WORDS, OpenAIServer, openai_server

pytestmark = pytest.mark.services
QUESTION: Any = [{"role": "user", "content": "How is the weather?"}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture(scope="module")
def http(
    upstream: OpenAIServer, stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("fallback")
    broken = ("busy", "reset", "unfinished", "calling-half", "html")
    groups = {
        f"{first}-then-{second}": {
            "members": [{"model": model_of(first)}, {"model": model_of(second)}],
            "allowed_fails": 999,
        }
        for first in broken
        for second in ("words", "echo")
    }
    config = {
        "providers": {
            "up": {"kind": "openai", "base_url": upstream.url, "api_key": "${UP_KEY}"},
            "mock": {"kind": "mock"},
        },
        "groups": groups,
    }
    path = folder / "providers.yaml"
    path.write_text(yaml.safe_dump(config))
    variables = environment(
        stores, folder, RAYLM_PROVIDERS=str(path), RAYLM_V1_ACCESS="anyone", UP_KEY=SECRET
    )
    with GatewayProcess(folder / "log", variables) as process:
        yield process.visitor()


def model_of(name: str) -> str:
    return "mock/echo" if name == "echo" else f"up/{name}"


def ask(http: httpx.Client, model: str, **more: Any) -> httpx.Response:
    return http.post("/v1/chat/completions", json={"model": model, "messages": QUESTION, **more})


def text(answer: httpx.Response) -> str:
    chunks = parts_of(answer.content)
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("second", ["words", "echo"])
def test_a_refusal_is_another_s_turn(http: httpx.Client, second: str, stream: bool) -> None:
    answer = ask(http, f"html-then-{second}", stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-raylm-model"] == model_of(second)
    assert answer.headers["x-raylm-failed"] == "up/html server"
    assert answer.headers["x-raylm-attempts"] == "2"


def test_who_is_busy_is_left_alone_for_as_long_as_it_says(http: httpx.Client) -> None:
    first, next_one = (ask(http, "busy-then-words") for _ in range(2))
    assert first.headers["x-raylm-failed"] == "up/busy busy"
    assert "x-raylm-failed" not in next_one.headers
    assert next_one.headers["x-raylm-model"] == "up/words"


@pytest.mark.parametrize("failing", ["reset", "unfinished"])
def test_another_goes_on_where_an_answer_breaks_off(
    http: httpx.Client, upstream: OpenAIServer, failing: str
) -> None:
    """In the same stream, after what was said; the same format and a translated one alike."""
    upstream.asked.clear()
    answer = ask(http, f"{failing}-then-words", stream=True)
    assert text(answer) == "half" + "".join(WORDS)
    assert answer.content.count(b"data: [DONE]") == 1
    first, second = upstream.asked
    assert first["messages"] == QUESTION
    assert second["messages"][1] == {"role": "assistant", "content": "half"}
    assert "Go on" in second["messages"][2]["content"]
    echoed = ask(http, f"{failing}-then-echo", stream=True)
    assert text(echoed).startswith("halfYour answer was cut off")


def test_half_a_call_is_not_gone_on_with(http: httpx.Client) -> None:
    answer = ask(http, "calling-half-then-words", stream=True)
    assert answer.status_code == 200
    (error,) = [part for part in parts_of(answer.content) if "error" in part]
    assert "broke off" in error["error"]["message"]
    assert b"[DONE]" not in answer.content


def test_another_goes_on_in_anthropic_s_format(http: httpx.Client) -> None:
    """In the same block of the same message, whose events stay in their order."""
    asked = {"model": "reset-then-words", "max_tokens": 50, "messages": QUESTION, "stream": True}
    answer = http.post("/v1/messages", json=asked)
    events = parts_of(answer.content)
    assert [event["type"] for event in events] == [
        *("message_start", "content_block_start"),
        *["content_block_delta"] * (1 + len(WORDS)),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    told = "".join(e["delta"]["text"] for e in events if e["type"] == "content_block_delta")
    assert told == "half" + "".join(WORDS)


def test_half_a_call_is_an_error_in_anthropic_s_format_too(http: httpx.Client) -> None:
    asked = {"model": "calling-half-then-words", "max_tokens": 50, "messages": QUESTION}
    events = parts_of(http.post("/v1/messages", json={**asked, "stream": True}).content)
    assert events[-1]["type"] == "error"
    assert "broke off" in events[-1]["error"]["message"]
