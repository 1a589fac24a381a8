"""Models loaded, exchanged and unloaded while the app runs, by who has the admin key."""

import hmac
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from raylm.core.errors import RequestError
from raylm.core.schema import ModelConfig
from raylm.core.wire.openai import ErrorBody, ModelCard, ModelDeleted
from raylm.serve.routes import Served


def require_admin(request: Request) -> None:
    key: str | None = request.app.state.admin_key
    if key is None:
        raise HTTPException(
            403, "no admin key is set, so nobody changes models; set RAYLM_ADMIN_KEY and restart"
        )
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise HTTPException(
            401,
            "changing models needs the header `Authorization: Bearer ADMIN_KEY`",
            {"www-authenticate": "Bearer"},
        )


router = APIRouter(
    prefix="/v1/models",
    dependencies=[Depends(require_admin)],
    responses={"default": {"model": ErrorBody}},
)
Options = Annotated[dict[str, Any], Body(description="keys of ModelConfig")]


@router.post("", responses={201: {"model": ModelCard}})
async def load_model(options: Options, models: Served) -> Response:
    """201 once it serves; meanwhile `/health` tells for how many seconds it has been loading."""
    _require_model(options)
    served = await models.load(ModelConfig.load(options))
    return JSONResponse(served.card().model_dump(), 201)


@router.post("/{name:path}/update")
async def update_model(name: str, options: Options, models: Served) -> ModelCard:
    """New requests get the new weights; streams that run end on the old ones."""
    _require_model(options)
    return (await models.update(name, options)).card()


@router.delete("/{name:path}")
async def unload_model(name: str, models: Served) -> ModelDeleted:
    """Answers once the streams that run on it have ended and its memory is free."""
    served = await models.find(name)
    await models.unload(served.id)
    return ModelDeleted(id=served.id)


def _require_model(options: dict[str, Any]) -> None:
    if "model" not in options:
        raise RequestError("model is missing: a name, a folder or a file", param="model")
