"""The engines behind OpenAI's HTTP API: one FastAPI app, under Ray Serve or uvicorn alike."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from raylm.serve import admin, errors, routes
from raylm.serve.board import LocalBoard
from raylm.serve.body_limit import BodyLimit
from raylm.serve.loader import EngineLoader, Loader
from raylm.serve.models import Models
from raylm.serve.seam import Engine
from raylm.serve.turnstile import Turnstile

DRAIN_S = 5.0
STREAM_S = 600.0


def create_app(
    engine: Engine,
    *,
    model_id: str | None = None,
    admin_key: str | None = None,
    loader: Loader | None = None,
) -> FastAPI:
    """`model_id` is the name clients use; default: the engine's own. Who has `admin_key` may
    load further models (by `loader`) and unload them."""
    models = Models(loader or EngineLoader(), LocalBoard(), STREAM_S)
    models.add(model_id or engine.model_name, engine)
    return app_of(models, admin_key)


def app_of(models: Models, admin_key: str | None) -> FastAPI:
    """Its lifespan starts the engines and at the end lets them finish what they can."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await models.start()
        yield
        await models.shutdown(DRAIN_S)

    app = FastAPI(title="RayLM engine", redoc_url=None, lifespan=lifespan)
    app.state.models = models
    app.state.admin_key = admin_key
    app.add_middleware(BodyLimit)
    app.add_middleware(Turnstile)
    errors.install(app)
    app.include_router(routes.router)
    app.include_router(admin.router)
    return app
