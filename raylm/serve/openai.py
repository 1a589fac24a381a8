"""The engine behind OpenAI's HTTP API: one FastAPI app, under Ray Serve or uvicorn alike."""

from fastapi import FastAPI

from raylm.serve import errors
from raylm.serve.body_limit import BodyLimit
from raylm.serve.routes import router
from raylm.serve.seam import Engine
from raylm.serve.served_model import ServedModel


def create_app(engine: Engine, *, model_id: str | None = None) -> FastAPI:
    """`model_id` is the name clients use; default: the engine's own.

    The engine is the caller's: start it before the first request, shut it down after the last.
    """
    app = FastAPI(title="RayLM engine", redoc_url=None)
    app.state.model = ServedModel(engine, model_id or engine.model_name)
    app.add_middleware(BodyLimit)
    errors.install(app)
    app.include_router(router)
    return app
