"""OpenAI's embeddings, by any provider that has some."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from raylm.core.wire.openai import ErrorBody
from raylm.core.wire.openai.embeddings import EmbeddingRequest
from raylm_apps.gateway.inbound.answer_cache import Ttl
from raylm_apps.gateway.inbound.caller import Caller
from raylm_apps.gateway.inbound.embedding_call import EmbeddingCall
from raylm_apps.gateway.inbound.frames import OPENAI
from raylm_apps.gateway.inbound.opening import Opening
from raylm_apps.gateway.inbound.program_route import ProgramRequest, ProgramRoute

router = APIRouter(
    prefix="/v1/embeddings",
    tags=["openai"],
    route_class=ProgramRoute,
    responses={"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}},
)
VECTORS: dict[str, Any] = {"description": "a vector a text", "content": {"application/json": {}}}


@router.post("", responses={200: VECTORS})
async def embed(
    caller: Caller, http: ProgramRequest, request: EmbeddingRequest, cache_s: Ttl = 0
) -> Response:
    call = EmbeddingCall(request, await http.json())
    async with caller as allowance:
        opening = Opening(allowance, OPENAI, cache_s=cache_s)
        return await opening.respond(http, request.model, call)
