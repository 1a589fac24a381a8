"""The engine behind OpenAI's HTTP API: one FastAPI app, under Ray Serve or uvicorn alike."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from raylm.serve import errors
from raylm.serve.body_limit import BodyLimit
from raylm.serve.routes import router
from raylm.serve.seam import Engine
from raylm.serve.served_model import ServedModel

DRAIN_S = 5.0


def create_app(engine: Engine, *, model_id: str | None = None) -> FastAPI:
    """`model_id` is the name clients use; default: the engine's own.

    The app's lifespan starts the engine and at the end lets it finish what it can.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await engine.start()
        yield
        await engine.shutdown(DRAIN_S)

    app = FastAPI(title="RayLM engine", redoc_url=None, lifespan=lifespan)
    app.state.model = ServedModel(engine, model_id or engine.model_name)
    app.add_middleware(BodyLimit)
    errors.install(app)
    app.include_router(router)
    return app
