"""The least that a relay in Python can be: FastAPI in front, one pooled aiohttp client behind.

Neither keys nor stores nor limits; what the gateway adds is measured against it.
uvicorn benchmarks.gateway.bare_relay:app, with UPSTREAM_URL.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

UPSTREAM_URL = os.environ.get("UPSTREAM_URL", "")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/chat/completions")
async def complete(request: Request) -> StreamingResponse:
    body = await request.body()
    headers = {"content-type": "application/json"}

    async def pieces() -> AsyncIterator[bytes]:
        client: aiohttp.ClientSession = request.app.state.client
        url = f"{UPSTREAM_URL}/chat/completions"
        async with client.post(url, data=body, headers=headers) as response:
            async for piece in response.content.iter_any():
                yield piece

    return StreamingResponse(pieces(), media_type="text/event-stream")
