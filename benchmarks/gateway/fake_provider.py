"""An OpenAI-compatible server: `python fake_provider.py PORT`.

Its model `fake` answers ten words at once, `paced` twenty, one every tenth of a second, `chunks` a
hundred, one every ten milliseconds.
"""

import asyncio
import sys

from aiohttp import web

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
END = (
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":10}}\n\ndata: [DONE]\n\n'
)
WORDS = {"fake": 10, "paced": 20, "chunks": 100}
PAUSE_S = {"fake": 0.0, "paced": 0.1, "chunks": 0.01}


async def models(request: web.Request) -> web.Response:
    return web.json_response({"data": [{"id": model} for model in WORDS]})


async def complete(request: web.Request) -> web.StreamResponse:
    model = (await request.json())["model"]
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(WORDS[model]):
        await response.write(CHUNK)
        if PAUSE_S[model]:
            await asyncio.sleep(PAUSE_S[model])
    await response.write(END)
    return response


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", complete)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
