"""Of requests that arrive together the first is with the engine before the last is read."""

import asyncio
import json

import pytest

from raylm.serve.openai import create_app
from raylm.serve.turnstile import Turnstile

TOGETHER = 12
SCOPE = {
    "type": "http",
    "method": "POST",
    "scheme": "http",
    "path": "/v1/completions",
    "raw_path": b"/v1/completions",
    "root_path": "",
    "query_string": b"",
    "headers": [(b"content-type", b"application/json")],
}


@pytest.mark.parametrize("stream", [True, False])
async def test_the_first_reaches_the_engine_while_the_others_wait(engine, stream):
    engine.token_s = 0.01
    app = create_app(engine)
    body = json.dumps({"model": "raylm/fake", "prompt": [5, 6], "stream": stream}).encode()
    with_engine: list[int] = []  # as each request is read
    answered: list[int] = []

    async def ask() -> None:
        read = False

        async def receive() -> dict[str, object]:
            nonlocal read
            if read:
                await asyncio.Event().wait()
            read = True
            with_engine.append(len(engine.prompts))
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                answered.append(message["status"])

        await app(dict(SCOPE), receive, send)

    await asyncio.gather(*(ask() for _ in range(TOGETHER)))
    assert answered == [200] * TOGETHER
    assert with_engine[-1] >= TOGETHER - 3
    assert with_engine == sorted(with_engine)


async def test_who_leaves_in_the_queue_holds_up_nobody():
    entered: list[int] = []

    async def app(scope, receive, send):
        entered.append(scope["number"])

    turnstile = Turnstile(app)
    asks = [
        asyncio.create_task(turnstile({"type": "http", "number": number}, None, None))
        for number in range(4)
    ]
    await asyncio.sleep(0)
    asks[0].cancel()
    asks[2].cancel()
    await asyncio.gather(*asks, return_exceptions=True)
    assert entered == [1, 3]
