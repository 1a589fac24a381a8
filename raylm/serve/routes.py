"""The engine's HTTP routes."""

from typing import Annotated

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
from raylm.serve.answers import ChatAnswer, CompletionAnswer
from raylm.serve.prompts import chat_prompt, text_prompt
from raylm.serve.served_model import ServedModel

router = APIRouter(responses={"default": {"model": ErrorBody}})


def _served(request: Request) -> ServedModel:
    model: ServedModel = request.app.state.model
    return model


Served = Annotated[ServedModel, Depends(_served)]


@router.get("/v1/models")
async def list_models(served: Served) -> ModelList:
    return ModelList(data=[served.card()])


@router.get("/v1/models/{name:path}")
async def get_model(name: str, served: Served) -> ModelCard:
    served.require(name)
    return served.card()


@router.post("/v1/chat/completions", responses={200: {"model": ChatCompletion}})
async def chat_completions(body: ChatCompletionRequest, served: Served) -> Response:
    served.require(body.model)
    params = body.to_sampling_params()
    prompt = await chat_prompt(served.engine, body.messages)
    answer = ChatAnswer(served.id, served.engine.tokenizer, logprobs=body.logprobs)
    return served.respond(body, params, [prompt], answer)


@router.post("/v1/completions", responses={200: {"model": Completion}})
async def completions(body: CompletionRequest, served: Served) -> Response:
    served.require(body.model)
    params = body.to_sampling_params()
    prompts = [await text_prompt(served.engine, prompt) for prompt in body.prompts()]
    answer = CompletionAnswer(
        served.id, served.engine.tokenizer, logprobs=body.logprobs is not None
    )
    return served.respond(body, params, prompts, answer)


@router.get("/health")
async def health(served: Served) -> dict[str, str | int]:
    """500 once the engine has failed; its queue and its cache while it is well."""
    return {"status": "ok", "model": served.id, **served.load()}


@router.get("/metrics")
async def metrics(served: Served) -> Response:
    return Response(served.meters.exposition(), media_type=CONTENT_TYPE_LATEST)
