"""The gateway as an ASGI application: routes, middleware and lifespan, no logic.

uvicorn --factory raylm_apps.gateway.main:create_app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TextIO

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from raylm.core.errors import RequestError, StoreError
from raylm_apps.gateway.errors import ApiError, code_for
from raylm_apps.gateway.garbage import collected_rarely
from raylm_apps.gateway.inbound.error_shapes import error_response
from raylm_apps.gateway.methods import Head, allowed
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.routes import (
    account,
    accounts,
    admin_models,
    auth,
    branch,
    budgets,
    chat,
    docs,
    document,
    files,
    folders,
    health,
    history,
    keys,
    messages,
    models,
    oauth,
    passwords,
    runs,
    sandbox,
    stream,
    suggestions,
    teams,
    usage,
    v1_completions,
    v1_embeddings,
    v1_messages,
    v1_models,
    verification,
    votes,
)
from raylm_apps.gateway.routes.pages import pages_router
from raylm_apps.gateway.security import Security
from raylm_apps.gateway.services import open_services
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.telemetry import Metrics, RequestLog, configure_logging
from raylm_apps.gateway.tracing import Tracing
from raylm_apps.gateway.wire.error import RESPONSES, explain

# Looked through in this order: what is asked most comes first.
ROUTERS = (
    *(v1_completions, v1_messages, v1_embeddings),
    *(chat, stream, branch, messages, votes, history, folders, teams),
    *(auth, accounts, oauth, passwords, verification, keys, account, usage, budgets),
    *(document, suggestions, files, sandbox),
    *(runs, admin_models),
    *(models, v1_models, health, docs),
)
logger = structlog.get_logger()


def create_app(
    settings: Settings | None = None, tracing: Tracing | None = None, log: TextIO | None = None
) -> FastAPI:
    """Raises ConfigError where the environment cannot be read; opens nothing before it is run."""
    settings = settings or Settings.from_environment()
    configure_logging(log)
    metrics = Metrics()
    tracing = tracing or Tracing.from_environment()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if settings.limits == "off":
            logger.warning("RAYLM_LIMITS=off: no limits are enforced")
        async with open_services(settings, metrics, tracing) as services:
            app.state.services = services
            with collected_rarely():
                yield
        await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="RayLM gateway",
        version=version("raylm"),
        description="Chats with language models: stored, streamed, resumable.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=tracing.fastapi,
        responses=RESPONSES,
    )
    app.add_middleware(
        Security,
        max_body_bytes=settings.max_body_bytes,
        max_file_bytes=settings.max_file_bytes,
        max_api_body_bytes=settings.max_api_body_bytes,
        respond=error_response,
    )
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(Head)
    for module in ROUTERS:
        app.include_router(module.router)
    app.include_router(pages_router())
    for refusal in (ApiError, ProviderError, RequestError):
        app.add_exception_handler(refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(StoreError, _outage)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError | ProviderError | RequestError)
    return error_response(request.scope, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return error_response(request.scope, ApiError("bad_request:api", explain(error.errors()[0])))


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = {"allow": allowed(request)} if error.status_code == 405 else error.headers
    return error_response(request.scope, ApiError(code_for(error.status_code)), headers)


async def _outage(request: Request, error: Exception) -> JSONResponse:
    logger.error("a store is away", error=str(error))
    return error_response(request.scope, ApiError("offline:chat"))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", exc_info=error)
    return error_response(request.scope, ApiError("internal:server"))
