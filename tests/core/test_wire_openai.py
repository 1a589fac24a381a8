"""OpenAI's requests become SamplingParams, and nothing asked for is silently dropped."""

import pytest
from pydantic import ValidationError

from raylm.core.errors import RequestError
from raylm.core.wire.openai import (
    ChatCompletionChunk,
    ChatCompletionRequest,
    ChoiceDelta,
    ChunkChoice,
    CompletionRequest,
    ErrorBody,
)

MESSAGES = [{"role": "user", "content": "hi"}]


def chat(**fields):
    return ChatCompletionRequest.model_validate({"model": "m", "messages": MESSAGES, **fields})


def completion(**fields):
    return CompletionRequest.model_validate({"model": "m", "prompt": "hi", **fields})


def test_every_parameter_arrives():
    params = chat(
        n=2,
        stop=["a", "b"],
        seed=7,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        repetition_penalty=1.1,
        logit_bias={"15": -100, "16": 2.5},
        max_tokens=9,
        ignore_eos=True,
        stop_token_ids=[3],
    ).to_sampling_params()
    assert (params.n, params.stop, params.seed, params.max_tokens) == (2, ("a", "b"), 7, 9)
    assert (params.temperature, params.top_p, params.top_k, params.min_p) == (0.5, 0.9, 40, 0.1)
    assert params.presence_penalty == 0.1
    assert params.frequency_penalty == 0.2
    assert params.repetition_penalty == 1.1
    assert params.logit_bias == {15: -100.0, 16: 2.5}
    assert params.ignore_eos
    assert params.stop_token_ids == (3,)


def test_null_and_unknown_fields_mean_the_default():
    nulls = chat(
        temperature=None, stop=None, n=None, stream=None, user="u", store=True, metadata={}
    )
    assert nulls.to_sampling_params() == chat().to_sampling_params()


@pytest.mark.parametrize(
    ("fields", "limit"),
    [({}, None), ({"max_tokens": 5}, 5), ({"max_tokens": 5, "max_completion_tokens": 6}, 6)],
)
def test_max_completion_tokens_wins(fields, limit):
    assert chat(**fields).to_sampling_params().max_tokens == limit


@pytest.mark.parametrize(
    ("fields", "logprobs"),
    [({}, None), ({"logprobs": True}, 0), ({"logprobs": True, "top_logprobs": 4}, 4)],
)
def test_chat_logprobs(fields, logprobs):
    assert chat(**fields).to_sampling_params().logprobs == logprobs


def test_one_stop_string_is_a_list_of_one():
    assert chat(stop="END").to_sampling_params().stop == ("END",)


def test_top_k_minus_one_is_off():
    assert chat(top_k=-1).to_sampling_params().top_k == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"functions": [{"name": "f"}]},
        {"tool_choice": "required"},
        {"function_call": {"name": "f"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "x"}},
    ],
)
def test_what_the_engine_lacks_is_refused_by_name(fields):
    (name,) = fields
    with pytest.raises(RequestError, match="not supported") as caught:
        chat(**fields).to_sampling_params()
    assert caught.value.param == name


@pytest.mark.parametrize("fields", [{"best_of": 3}, {"echo": True}, {"suffix": "x"}])
def test_completions_refuse_likewise(fields):
    with pytest.raises(RequestError, match="not supported"):
        completion(**fields).to_sampling_params()


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": 2**63},
        {"n": True},
        {"stop": ["x"] * 17},
        {"top_logprobs": 21, "logprobs": True},
        {"max_completion_tokens": 0},
        {"stream": "yes"},
        {"messages": []},
        {"messages": [{"role": "user", "content": "\ud800"}]},
    ],
)
def test_wrong_types_are_refused(fields):
    with pytest.raises(ValidationError):
        chat(**fields)


@pytest.mark.parametrize("bias", [{"x": 1.0}, {"-1": 1.0}, {"3": 101.0}, {"3": float("nan")}])
def test_logit_bias_is_checked(bias):
    with pytest.raises(RequestError) as caught:
        chat(logit_bias=bias).to_sampling_params()
    assert caught.value.param == "logit_bias"


def test_text_parts_are_joined_and_others_refused():
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    (message,) = chat(messages=[{"role": "user", "content": parts}]).messages
    assert message.text() == "ab"
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    (message,) = chat(messages=[{"role": "user", "content": image}]).messages
    with pytest.raises(RequestError, match="image_url"):
        message.text()


def test_tool_calls_in_the_history_are_refused():
    (message,) = chat(
        messages=[{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]
    ).messages
    with pytest.raises(RequestError, match="tool_calls"):
        message.text()


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_the_four_forms_of_a_prompt(prompt, prompts):
    assert completion(prompt=prompt).prompts() == prompts


def test_an_empty_list_of_prompts():
    with pytest.raises(RequestError):
        completion(prompt=[]).prompts()


def test_chunks_carry_what_openai_carries():
    chunk = ChatCompletionChunk(
        id="c", created=1, model="m", choices=[ChunkChoice(index=0, delta=ChoiceDelta(content=""))]
    )
    assert chunk.model_dump(mode="json") == {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"content": ""}, "logprobs": None, "finish_reason": None}
        ],
    }


def test_error_body():
    body = ErrorBody.of("no", "invalid_request_error", param="n")
    assert body.model_dump() == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": None}
    }
