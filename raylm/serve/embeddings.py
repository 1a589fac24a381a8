"""Texts as vectors: all inputs of a request at once, as far as the engine has room for them."""

import asyncio
import uuid
from collections.abc import Sequence

from raylm.core.errors import RequestError
from raylm.core.wire.events import Usage
from raylm.core.wire.openai.embeddings import EmbeddingList, EmbeddingRequest, embedding_list
from raylm.core.wire.openai.requests import MAX_USER_CHARS
from raylm.serve.prompts import text_prompt
from raylm.serve.seam import Engine

AT_ONCE = 16  # inputs of one request in the engine's queue, where others wait too


async def embed(engine: Engine, request: EmbeddingRequest) -> EmbeddingList:
    """Raises RequestError for what this engine does not do."""
    if request.dimensions is not None:
        raise RequestError(
            "dimensions is not supported: the model's vectors have the size of its hidden states; "
            "leave it out",
            param="dimensions",
        )
    inputs = [await _input_ids(engine, given) for given in request.inputs()]
    vectors = await _vectors(engine, inputs, request.user[:MAX_USER_CHARS])
    return embedding_list(request, vectors, Usage(sum(map(len, inputs)), 0))


async def _input_ids(engine: Engine, given: str | list[int]) -> list[int]:
    ids = await text_prompt(engine, given) if given else []
    if not ids:
        raise RequestError("an input has no tokens; leave it out", param="input")
    return ids


async def _vectors(engine: Engine, inputs: Sequence[list[int]], user: str) -> list[Sequence[float]]:
    """One that fails ends the others."""
    name, room = f"embd-{uuid.uuid4().hex}", asyncio.Semaphore(AT_ONCE)

    async def vector(number: int, ids: list[int]) -> Sequence[float]:
        async with room:
            return await engine.embed(ids, f"{name}-{number}", user=user)

    tasks = [asyncio.create_task(vector(*numbered)) for numbered in enumerate(inputs)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
