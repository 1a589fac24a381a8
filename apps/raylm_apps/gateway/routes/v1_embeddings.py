"""OpenAI's embeddings, by any provider that has some."""

from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from raylm.core.wire.openai import ErrorBody
from raylm.core.wire.openai.embeddings import EmbeddingRequest
from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.embedding_call import EmbeddingCall
from raylm_apps.gateway.inbound.openai_errors import error_frame
from raylm_apps.gateway.inbound.opening import Opening

router = APIRouter(
    prefix="/v1/embeddings",
    tags=["openai"],
    responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
)
VECTORS: dict[str, Any] = {"description": "a vector a text", "content": {"application/json": {}}}


@router.post("", responses={200: VECTORS})
async def embed(
    caller: Caller, http: Request, request: EmbeddingRequest, cache_s: Ttl = 0
) -> Response:
    call = EmbeddingCall(request, orjson.loads(await http.body()))
    async with caller as allowance:
        opening = Opening(allowance, error_frame, cache_s=cache_s)
        return await opening.respond(http, request.model, call)
