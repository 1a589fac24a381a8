"""OpenAI's completions for any model, read by OpenAI's own client."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment, eventually, new_id
from tests.apps.gateway.openai_server import (
    SECRET,
    USAGE,
    WORDS,
    OpenAIServer,
    openai_server,
    whole,
)

pytestmark = pytest.mark.services
QUESTION: Any = [{"role": "user", "content": "How is the weather?"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "getWeather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(
    upstream: OpenAIServer, stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("v1")
    variables = environment(
        stores, folder, OPENAI_BASE_URL=upstream.url, OPENAI_API_KEY=SECRET, RAYLM_TITLE_MODEL="off"
    )
    with GatewayProcess(folder / "log", variables) as process:
        yield process


@pytest.fixture(scope="module")
def key(gateway: GatewayProcess) -> str:
    user = gateway.user()
    user.register()
    created: str = user.http.post("/api/keys", json={"name": "program"}).json()["key"]
    return created


@pytest.fixture(scope="module")
def program(gateway: GatewayProcess, key: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{gateway.base_url}/v1", api_key=key, max_retries=0, timeout=30
    ) as client:
        yield client


@pytest.fixture(scope="module")
def http(gateway: GatewayProcess, key: str) -> httpx.Client:
    client = gateway.visitor()
    client.headers["authorization"] = f"Bearer {key}"
    return client


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": f"openai/{model}", "messages": QUESTION, **more}


def text(chunks: Any) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_an_answer_of_the_same_format_goes_through_as_it_is(
    program: openai.OpenAI, http: httpx.Client, upstream: OpenAIServer
) -> None:
    upstream.asked.clear()
    answer = http.post("/v1/chat/completions", json=body("words", metadata={"own": "field"}))
    assert answer.json() == whole("words")
    assert upstream.asked == [
        {"model": "words", "messages": QUESTION, "metadata": {"own": "field"}}
    ]
    parsed = program.chat.completions.create(**body("words"))
    assert parsed.choices[0].message.content == "".join(WORDS)


@pytest.mark.parametrize("model", ["words", "crlf"])
def test_a_stream_goes_through_as_it_is(program: openai.OpenAI, model: str) -> None:
    chunks = list(program.chat.completions.create(**body(model), stream=True))
    assert text(chunks) == "".join(WORDS)
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)  # not asked for
    assert all(chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_usage_comes_where_it_is_asked_for(program: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    stream = program.chat.completions.create(**body("words"), stream=True, stream_options=options)
    usage = list(stream)[-1].usage
    assert usage is not None
    assert usage.model_dump(exclude_none=True) == USAGE


def test_half_a_character_is_waited_for(program: openai.OpenAI) -> None:
    stream = program.chat.completions.create(**body("halves"), stream=True)
    assert text(stream) == "Grüße 🌍"


def test_another_format_is_translated(program: openai.OpenAI) -> None:
    mock: Any = {"model": "mock/reasoning", "messages": QUESTION}
    options: Any = {"include_usage": True}
    chunks = list(program.chat.completions.create(**mock, stream=True, stream_options=options))
    thought = "".join(
        getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in chunks if c.choices
    )
    assert text(chunks) == "How is the weather?"
    assert thought.startswith("The question has 4 words")
    assert chunks[-1].usage is not None
    answer = program.chat.completions.create(**mock)
    assert answer.choices[0].message.content == "How is the weather?"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 4


def test_tools_are_translated(program: openai.OpenAI) -> None:
    question: Any = [{"role": "user", "content": 'getWeather({"city": "Paris"})'}]
    asked: Any = {"model": "mock/tools", "messages": question, "tools": [TOOL]}
    answer = program.chat.completions.create(**asked).choices[0]
    assert answer.finish_reason == "tool_calls"
    assert answer.message.tool_calls is not None
    (call,) = answer.message.tool_calls
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "getWeather",
        {"city": "Paris"},
    )
    asked["messages"] = [
        *question,
        answer.message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "11 degrees"},
    ]
    with program.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "The tool said: 11 degrees "


def test_calls_go_through_as_they_are(program: openai.OpenAI) -> None:
    with program.chat.completions.stream(**body("calling", tools=[TOOL])) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert message.tool_calls[0].function.arguments == '{"a":1}'
    assert message.tool_calls[0].id == "call_9"


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("busy", 429, "busy"),
        ("locked", 502, "key"),
        ("html", 502, "server"),
        ("wrong", 400, "request"),
        ("long", 400, "context_length_exceeded"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_has_its_status(
    http: httpx.Client, model: str, status: int, code: str, stream: bool
) -> None:
    answer = http.post("/v1/chat/completions", json=body(model, stream=stream))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert SECRET not in answer.text
    assert answer.headers.get("retry-after") == ("7" if model == "busy" else None)


def test_the_provider_s_words_about_a_wrong_request_are_passed_on(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json=body("wrong"))
    assert "temperature: no" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", ["reset", "unfinished", "failing", "huge"])
def test_a_stream_that_breaks_off_ends_with_an_error(program: openai.OpenAI, model: str) -> None:
    stream = program.chat.completions.create(**body(model), stream=True)
    seen: list[Any] = []
    with pytest.raises(openai.APIError, match="broke off") as failure:
        seen.extend(stream)
    assert text(seen) == "half"
    assert SECRET not in str(failure.value)


def test_a_client_that_leaves_stops_the_provider(
    http: httpx.Client, upstream: OpenAIServer
) -> None:
    upstream.left.clear()
    with http.stream("POST", "/v1/chat/completions", json=body("slow", stream=True)) as response:
        next(response.iter_bytes())
    assert upstream.left.wait(2)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role"),
        ({"temperature": 9}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": None}, "model"),
    ],
)
def test_a_wrong_body_is_named(http: httpx.Client, wrong: dict[str, Any], param: str) -> None:
    answer = http.post("/v1/chat/completions", json={**body("words"), **wrong})
    assert answer.status_code == 400
    assert param in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:x"}}],
                    }
                ]
            },
            "messages[0].content.image_url.url",
        ),
    ],
)
def test_what_has_no_translation_is_refused_by_name(
    http: httpx.Client, wrong: dict[str, Any], param: str
) -> None:
    asked = {"model": "mock/echo", "messages": QUESTION, **wrong}
    answer = http.post("/v1/chat/completions", json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_unknown_model_is_named(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json=body("wrds"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "openai/words" in answer.json()["error"]["message"]


def test_nobody_is_refused_in_the_format_of_the_address(gateway: GatewayProcess) -> None:
    stranger = gateway.visitor()
    for headers in ({}, {"authorization": "Bearer raylm_wrong"}):
        answer = stranger.post("/v1/chat/completions", json=body("words"), headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


def test_keys_stay_out_of_the_log(gateway: GatewayProcess, http: httpx.Client) -> None:
    http.post("/v1/chat/completions", json=body("locked"))
    assert eventually(lambda: "/v1/chat/completions" in gateway.said)
    assert SECRET not in gateway.said


def test_a_text_is_continued_by_any_model(program: openai.OpenAI) -> None:
    answer = program.completions.create(model="mock/echo", prompt="Once upon", max_tokens=5)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("Once upon", "stop")
    chunks = list(program.completions.create(model="mock/echo", prompt="Once upon", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "Once upon"


def test_a_text_goes_through_to_its_own_format(
    program: openai.OpenAI, upstream: OpenAIServer
) -> None:
    upstream.asked.clear()
    answer = program.completions.create(model="openai/words", prompt=["a", "b"], echo=True)
    assert [choice.text for choice in answer.choices] == list(WORDS)
    assert upstream.asked == [{"model": "words", "prompt": ["a", "b"], "echo": True}]


@pytest.mark.parametrize("wrong", [{"prompt": ["a", "b"]}, {"echo": True}, {"logprobs": 1}])
def test_what_a_chatting_model_cannot_is_named(http: httpx.Client, wrong: dict[str, Any]) -> None:
    asked = {"model": "mock/echo", "prompt": "a", **wrong}
    answer = http.post("/v1/completions", json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, next(iter(wrong)))


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_question_is_answered_from_the_cache(
    gateway: GatewayProcess, http: httpx.Client, upstream: OpenAIServer, stream: bool
) -> None:
    """Only where the client wants it, only for the same user, only whole answers."""
    asked = body("words", stream=stream, user=new_id())
    upstream.asked.clear()
    headers = {"x-raylm-cache": "60"}
    first, again, plain = (
        http.post("/v1/chat/completions", json=asked, headers=wish)
        for wish in (headers, headers, {})
    )
    assert [answer.headers.get("x-raylm-cache") for answer in (first, again, plain)] == [
        *("miss", "hit", None)
    ]
    assert first.content == again.content == plain.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert len(upstream.asked) == 2
    other = gateway.user().http.post("/v1/chat/completions", json=asked, headers=headers)
    assert other.headers["x-raylm-cache"] == "miss"


def test_what_broke_off_is_not_kept(http: httpx.Client, upstream: OpenAIServer) -> None:
    asked, headers = body("unfinished", stream=True, user=new_id()), {"x-raylm-cache": "60"}
    for _ in range(2):
        answer = http.post("/v1/chat/completions", json=asked, headers=headers)
        assert answer.headers["x-raylm-cache"] == "miss"


def test_a_wrong_time_in_the_cache_is_named(http: httpx.Client) -> None:
    headers = {"x-raylm-cache": "100000000"}
    answer = http.post("/v1/chat/completions", json=body("words"), headers=headers)
    assert answer.status_code == 400
    assert "86400" in answer.json()["error"]["message"]


def test_the_headers_tell_who_has_answered(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json=body("words"))
    assert answer.headers["x-raylm-model"] == "openai/words"
    assert answer.headers["x-raylm-attempts"] == "1"
    assert 0 <= float(answer.headers["x-raylm-overhead-ms"]) < 1000
