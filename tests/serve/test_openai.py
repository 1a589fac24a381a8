"""The server through the official SDK and through raw HTTP, both over a real socket."""

import json
import re

import httpx
import openai
import pytest
from starlette.testclient import TestClient

from raylm.serve.openai import create_app

SENTENCE = "The capital of France is Paris."
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def sdk(server):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def chat(http: httpx.Client, **body):
    return http.post("/v1/chat/completions", json={"model": "fake", "messages": HELLO, **body})


def events(text: str) -> list:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


# -- answers


def test_chat_answer(sdk, engine):
    answer = sdk.chat.completions.create(model="raylm/fake", messages=HELLO)
    assert answer.choices[0].message.content == SENTENCE
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == len("<user>hello<assistant>")
    assert answer.usage.completion_tokens == 7
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 7
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer.model == "raylm/fake"
    assert answer.id.startswith("chatcmpl-")


def test_chat_stream(sdk):
    chunks = list(sdk.chat.completions.create(model="fake", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == SENTENCE
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(chunk.choices[0].delta.role is None for chunk in chunks[1:])
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons[-1] == "stop"
    assert set(reasons[:-1]) <= {None}
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_comes_last_and_only_when_asked_for(sdk):
    chunks = list(
        sdk.chat.completions.create(
            model="fake", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 7


def test_stream_is_a_row_of_events(http):
    reply = chat(http, stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    *chunks, done = events(reply.text)
    assert done == "[DONE]"
    assert chunks[0]["object"] == "chat.completion.chunk"
    assert chunks[0]["choices"][0]["finish_reason"] is None
    assert "usage" not in chunks[0]


@pytest.mark.parametrize("stream", [False, True])
def test_n_choices(sdk, stream):
    reply = sdk.chat.completions.create(model="fake", messages=HELLO, n=3, stream=stream)
    said = ["", "", ""]
    if stream:
        for chunk in reply:
            said[chunk.choices[0].index] += chunk.choices[0].delta.content
    else:
        said = [choice.message.content for choice in reply.choices]
        assert reply.usage.completion_tokens == 21
        assert reply.usage.prompt_tokens == len("<user>hello<assistant>")
    assert said == [SENTENCE] * 3


def test_completion_of_several_prompts(sdk, engine):
    answer = sdk.completions.create(model="fake", prompt=["ab", "c"], n=2, max_tokens=50)
    assert [choice.text for choice in answer.choices] == [SENTENCE] * 4
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert sorted(engine.prompts) == [[97, 98], [99]]
    assert answer.usage.prompt_tokens == 3
    assert answer.id.startswith("cmpl-")


def test_completion_of_token_ids(sdk, engine):
    sdk.completions.create(model="fake", prompt=[5, 6, 7])
    assert engine.prompts == [[5, 6, 7]]
    assert engine.params[0].max_tokens == 16


def test_completion_stream(sdk):
    chunks = list(sdk.completions.create(model="fake", prompt="x", stream=True, max_tokens=3))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "The capital of"
    assert chunks[-1].choices[0].finish_reason == "length"


def test_chat_logprobs(sdk):
    answer = sdk.chat.completions.create(
        model="fake", messages=HELLO, logprobs=True, top_logprobs=2, max_tokens=2
    )
    first, second = answer.choices[0].logprobs.content
    assert (first.token, first.logprob, first.bytes) == ("T", -0.5, [84])
    assert [(top.token, top.logprob) for top in second.top_logprobs] == [("x", -1.0), ("y", -2.0)]


def test_completion_logprobs(sdk):
    answer = sdk.completions.create(model="fake", prompt="x", logprobs=1, max_tokens=2)
    logprobs = answer.choices[0].logprobs
    assert logprobs.tokens == ["T", " "]
    assert logprobs.token_logprobs == [-0.5, -0.5]
    assert logprobs.top_logprobs == [{"x": -1.0}] * 2
    assert logprobs.text_offset == [0, 1]


def test_streamed_completion_logprobs_go_on_counting(http):
    body = {"model": "fake", "prompt": "x", "logprobs": 0, "max_tokens": 3, "stream": True}
    *chunks, _ = events(http.post("/v1/completions", json=body).text)
    offsets = [o for c in chunks for o in c["choices"][0]["logprobs"]["text_offset"]]
    assert offsets[0] == 0
    assert offsets == sorted(offsets)


def test_developer_speaks_as_system(http, engine):
    chat(http, messages=[{"role": "developer", "content": "be brief"}, *HELLO])
    assert engine.tokenizer.decode(engine.prompts[0]).startswith("<system>be brief<user>")


def test_user_and_priority_reach_the_engine(sdk, http, engine):
    sdk.chat.completions.create(
        model="fake", messages=HELLO, user="ann", extra_body={"priority": -3}
    )
    http.post("/v1/completions", json={"model": "fake", "prompt": ["a", "b"], "priority": 2})
    http.post("/v1/completions", json={"model": "fake", "prompt": "a"})
    assert engine.callers == [("ann", -3), ("", 2), ("", 2), ("", 0)]


def test_base_model_continues_the_text(http, engine):
    engine.chat_template = None
    chat(http, messages=[{"role": "user", "content": "Once"}, {"role": "user", "content": "upon"}])
    assert engine.tokenizer.decode(engine.prompts[0]) == "Once\nupon"
    assert http.get("/v1/models").json()["data"][0]["chat_template"] is False


# -- models, health, metrics


def test_models(sdk):
    (model,) = sdk.models.list().data
    assert model.id == "raylm/fake"
    assert model.model_dump()["chat_template"] is True
    assert model.model_dump()["max_model_len"] == 200
    assert sdk.models.retrieve("raylm/fake").id == "raylm/fake"


def test_health(http, engine):
    health = http.get("/health").json()
    assert health.pop("available_bytes") > 0
    assert health == {
        "status": "ok",
        "models": ["raylm/fake"],
        "loading": {},
        "failures": {},
        "waiting": 0,
        "running": 0,
        "free_blocks": 8,
        "total_blocks": 8,
    }
    engine.dead = True
    reply = http.get("/health")
    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "engine_error"


def test_metrics_count_what_was_served(http):
    chat(http)
    text = http.get("/metrics").text
    of_model = 'model="raylm/fake"'
    assert f'raylm_engine_tokens_total{{kind="generated",{of_model}}} 7.0' in text
    assert f"raylm_engine_first_token_seconds_count{{{of_model}}} 1.0" in text
    assert f"raylm_engine_free_blocks{{{of_model}}} 8.0" in text
    assert f"raylm_engine_preemptions_total{{{of_model}}} 2.0" in text
    assert f"raylm_engine_held_tokens_total{{{of_model}}} 5.0" in text
    queue = re.findall(r'queue_length{model="raylm/fake",priority="(.+)"} (.+)', text)
    assert queue == [("-1", "4.0"), ("0", "0.0"), ("2", "1.0")]


def test_the_app_starts_and_stops_its_engine(engine):
    assert not engine.running
    with TestClient(create_app(engine)):
        assert engine.running
    assert not engine.running


# -- errors


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_too_long_names_both_numbers(http, stream):
    reply = chat(http, messages=[{"role": "user", "content": "x" * 300}], stream=stream)
    error = reply.json()["error"]
    assert reply.status_code == 400
    assert error["code"] == "context_length_exceeded"
    assert str(300 + len("<user><assistant>")) in error["message"]
    assert "200" in error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_overloaded(http, engine, stream):
    engine.overloaded = True
    reply = chat(http, stream=stream)
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.json()["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize("stream", [False, True])
def test_engine_failure_before_the_first_token(http, engine, stream):
    engine.fail_after = 0
    reply = chat(http, stream=stream)
    assert reply.status_code == 500
    assert reply.json()["error"]["message"] == "the kernel failed"
    assert not engine.held


def test_engine_failure_later_ends_the_stream_with_an_error(http, sdk, engine):
    engine.fail_after = 3
    *chunks, last = events(chat(http, stream=True).text)
    assert "".join(c["choices"][0]["delta"]["content"] for c in chunks) == "The capital of"
    assert last["error"]["type"] == "server_error"
    with pytest.raises(openai.APIError, match="the kernel failed"):
        list(sdk.chat.completions.create(model="fake", messages=HELLO, stream=True))


def test_unknown_model(sdk):
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="gpt-99", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert "'raylm/fake'" in caught.value.message


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"max_tokens": -5}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"priority": "high"}, "priority"),
        ({"priority": 10**9}, "priority"),
        ({"user": 7}, "user"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": None}, "messages"),
    ],
)
def test_a_bad_value_is_named(http, engine, change, param):
    reply = chat(http, **change)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert not engine.prompts


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"model": ', "not valid json"),
        (b"[1, 2]", "dictionary"),
        (b"", "required"),
        (b'{"model": "\xff"}', "body"),
        (b'{"model":"fake","messages":[{"role":"user","content":"\\ud800"}]}', "surrogate"),
        (b'{"model":"fake","temperature":NaN,"messages":[{"role":"user","content":""}]}', "nan"),
        (b"[" * 100_000, "body"),
    ],
)
def test_malformed_bodies(http, body, says):
    reply = http.post(
        "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert reply.status_code == 400
    assert says in reply.json()["error"]["message"].lower()


def test_wrong_content_type(http):
    reply = http.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert reply.status_code == 415
    assert "application/json" in reply.json()["error"]["message"]


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_10_mb(http, chunked):
    body = b" " * (10 * 2**20 + 1)
    content = iter([body[:4_000_000], body[4_000_000:]]) if chunked else body
    reply = http.post(
        "/v1/completions", content=content, headers={"content-type": "application/json"}
    )
    assert reply.status_code == 413
    assert "10 MB" in reply.json()["error"]["message"]


def test_unknown_route_and_method(http):
    assert http.get("/v1/nothing").json()["error"]["type"] == "invalid_request_error"
    assert http.get("/v1/completions").status_code == 405
