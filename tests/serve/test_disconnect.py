"""A client who leaves frees what the engine holds for it, over a real socket."""

import asyncio

import httpx
import pytest

from raylm.serve.disconnect import while_connected

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


class Client:
    """Whose connection closes when it is told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def until_let_go(steps: list[str]) -> None:
    steps.append("begun")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)  # letting go may take a while
        steps.append("let go")


async def test_the_task_goes_on_after_a_client_who_left():
    client, steps = Client(), []
    asyncio.get_running_loop().call_later(0.01, client.left.set)
    await while_connected(until_let_go(steps), client.receive)
    assert steps == ["begun", "let go"]
    worker = asyncio.current_task()
    assert worker is not None
    assert worker.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_cancellation_from_elsewhere_is_passed_on():
    client, steps = Client(), []
    task = asyncio.create_task(while_connected(until_let_go(steps), client.receive))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["begun", "let go"]


async def test_a_failure_of_the_work_is_passed_on():
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await while_connected(fail(), Client().receive)


async def test_who_leaves_as_the_work_ends_cancels_nothing():
    client = Client()

    async def work() -> None:
        client.left.set()

    await while_connected(work(), client.receive)
    for _ in range(5):
        await asyncio.sleep(0)
