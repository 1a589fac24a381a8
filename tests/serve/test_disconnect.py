"""A client who leaves frees what the engine holds for it, over a real socket."""

import httpx
import pytest

FREED_WITHIN_S = 0.1
CHAT = {"model": "fake", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def engine(engine):
    engine.endless = True
    engine.token_s = 0.005
    return engine


def test_leaving_a_stream(server, engine):
    with httpx.Client(base_url=server.url) as client:
        with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as reply:
            chunks = reply.iter_raw()
            next(chunks)
            assert len(engine.held) == 1
        assert server.wait_until_free(5) < FREED_WITHIN_S


def test_leaving_before_the_first_token(server, engine):
    engine.token_s = 30.0
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json={**CHAT, "stream": True}, timeout=0.3)
    assert server.wait_until_free(5) < FREED_WITHIN_S


def test_leaving_a_plain_answer(server, engine):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=0.3)
    assert server.wait_until_free(5) < FREED_WITHIN_S


def test_leaving_several_choices_and_prompts(server, engine):
    body = {"model": "fake", "prompt": ["a", "b", "c"], "n": 2, "max_tokens": 10**6, "stream": True}
    with (
        httpx.Client(base_url=server.url) as client,
        client.stream("POST", "/v1/completions", json=body) as reply,
    ):
        chunks = reply.iter_raw()
        next(chunks)
        assert len(engine.held) == 3
    assert server.wait_until_free(5) < FREED_WITHIN_S


def test_the_server_goes_on_serving_others(server, engine):
    engine.endless = False
    for _ in range(20):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=0.01)
    reply = httpx.post(f"{server.url}/v1/chat/completions", json=CHAT, timeout=10)
    assert reply.status_code == 200
    assert not engine.held
