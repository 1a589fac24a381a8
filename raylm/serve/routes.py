"""The engine's HTTP routes."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from raylm.core.wire.openai import (
    ChatCompletion,
    ChatCompletionRequest,
    Completion,
    CompletionRequest,
    ErrorBody,
    ModelCard,
    ModelList,
)
from raylm.core.wire.openai.embeddings import EmbeddingList, EmbeddingRequest
from raylm.serve.answers import ChatAnswer, CompletionAnswer
from raylm.serve.memory import available_bytes
from raylm.serve.models import Models
from raylm.serve.prompts import chat_prompt, text_prompt

router = APIRouter(responses={"default": {"model": ErrorBody}})


async def models_of(request: Request) -> Models:
    models: Models = request.app.state.models
    return models


async def until_answered() -> AsyncGenerator[ExitStack, None]:
    """What is entered in it is left once the answer has been sent to its end."""
    with ExitStack() as stack:
        yield stack


Served = Annotated[Models, Depends(models_of)]
Answering = Annotated[ExitStack, Depends(until_answered)]


@router.get("/v1/models")
async def list_models(models: Served) -> ModelList:
    return ModelList(data=[served.card() for served in models])


@router.get("/v1/models/{name:path}")
async def get_model(name: str, models: Served) -> ModelCard:
    return (await models.find(name)).card()


@router.post("/v1/chat/completions", responses={200: {"model": ChatCompletion}})
async def chat_completions(
    body: ChatCompletionRequest, models: Served, answering: Answering
) -> Response:
    served = answering.enter_context((await models.find(body.model)).held())
    params = body.to_sampling_params()
    prompt = await chat_prompt(served.engine, body.messages)
    answer = ChatAnswer(served.id, served.engine.tokenizer, logprobs=body.logprobs)
    return served.respond(body, params, [prompt], answer)


@router.post("/v1/completions", responses={200: {"model": Completion}})
async def completions(body: CompletionRequest, models: Served, answering: Answering) -> Response:
    served = answering.enter_context((await models.find(body.model)).held())
    params = body.to_sampling_params()
    prompts = [await text_prompt(served.engine, prompt) for prompt in body.prompts()]
    answer = CompletionAnswer(
        served.id, served.engine.tokenizer, logprobs=body.logprobs is not None
    )
    return served.respond(body, params, prompts, answer)


@router.post("/v1/embeddings", responses={200: {"model": EmbeddingList}})
async def embed(body: EmbeddingRequest, models: Served, answering: Answering) -> Response:
    served = answering.enter_context((await models.find(body.model)).held())
    return served.embed(body)


@router.get("/health")
async def health(models: Served) -> dict[str, Any]:
    """500 once an engine has failed; queues and caches, added up, while all are well."""
    stats = [served.engine.stats() for served in models]
    return {
        "status": "ok",
        "models": [served.id for served in models],
        "loading": models.loading,
        "failures": models.failures,
        "waiting": sum(engine.waiting for engine in stats),
        "running": sum(engine.running for engine in stats),
        "free_blocks": sum(engine.free_blocks for engine in stats),
        "total_blocks": sum(engine.total_blocks for engine in stats),
        "available_bytes": available_bytes(),
    }


@router.get("/metrics")
async def metrics(models: Served) -> Response:
    return Response(models.meters.exposition(), media_type=CONTENT_TYPE_LATEST)
