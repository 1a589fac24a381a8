"""What the local engine has loaded and could load, and how all providers are, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import RequireAdmin
from raylm_apps.gateway.engine.change import load, unload
from raylm_apps.gateway.engine.engine import Condition, Served
from raylm_apps.gateway.engine.shelf import Loadable, loadable
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.providers.base import Catalogue
from raylm_apps.gateway.routing.circuit import State
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.wire.admin_model import (
    AdminModelsView,
    EngineView,
    LoadRequest,
    LocalModel,
    ModelName,
    OpenCircuit,
    ProviderView,
)
from raylm_apps.gateway.wire.run import LoadedModel

router = APIRouter(prefix="/api/admin/models", tags=["models"])


@router.get("")
async def read(gateway: Gateway, admin: RequireAdmin) -> AdminModelsView:
    engine = None if gateway.engine is None else await _engine_view(gateway)
    seen = await gateway.catalog.providers()
    providers = [_provider_view(name, one, gateway.circuits) for name, one in seen.items()]
    return AdminModelsView(engine=engine, providers=providers)


@router.post("", status_code=201)
async def load_model(gateway: Gateway, admin: RequireAdmin, request: LoadRequest) -> LoadedModel:
    """One of those listed; answers once one can chat with it."""
    known = await loadable(gateway.settings.local_models, gateway.runs)
    if request.model not in {one.model for one in known}:
        raise ApiError("not_found:model", "it is none of those listed; see RAYLM_LOCAL_MODELS")
    return LoadedModel(id=await load(gateway, request.model))


@router.delete("")
async def unload_model(
    gateway: Gateway, admin: RequireAdmin, model: Annotated[ModelName, Query()]
) -> LoadedModel:
    """Answers once the answers that it is giving have ended."""
    await unload(gateway, model)
    return LoadedModel(id=model)


async def _engine_view(gateway: Services) -> EngineView:
    assert gateway.engine is not None
    known = await loadable(gateway.settings.local_models, gateway.runs)
    condition, error = Condition((), {}, {}, None), None
    try:
        condition = await gateway.engine.condition()
    except ApiError as away:
        error = away.cause
    return EngineView(
        is_up=error is None,
        error=error,
        can_change=gateway.engine.can_change,
        available_bytes=condition.available_bytes,
        models=_local_models(known, condition),
    )


def _local_models(known: list[Loadable], condition: Condition) -> list[LocalModel]:
    """Those that are loaded first."""
    by_id = {one.id: one for one in reversed(known)}
    served = {one.id: one for one in condition.served}
    ids = dict.fromkeys((*served, *condition.loading, *condition.failures, *(o.id for o in known)))
    return [_local_model(id_, served.get(id_), by_id.get(id_), condition) for id_ in ids]


def _local_model(
    id_: str, served: Served | None, source: Loadable | None, condition: Condition
) -> LocalModel:
    reading = served and served.reading
    loading_s, failure = condition.loading.get(id_), condition.failures.get(id_)
    state = "loading" if loading_s is not None else "failed" if failure else "unloaded"
    return LocalModel(
        id=id_,
        model=source and source.model,
        run_id=source and source.run,
        step=source and source.step,
        state="loaded" if served else state,
        loading_seconds=loading_s,
        failure=failure,
        chat_template=served and served.chat_template,
        context_tokens=served and served.context_tokens,
        tokens_per_second=served and served.tokens_per_second,
        generated_tokens=int(reading.generated_tokens) if reading else None,
        first_token_seconds=reading and reading.first_token_s,
        waiting=reading and reading.waiting,
        running=reading and reading.running,
        cache_used=reading and reading.cache_used,
    )


def _provider_view(name: str, seen: Catalogue, circuits: CircuitBoard) -> ProviderView:
    opened = [model for model in seen.cards if circuits.state(model) is not State.CLOSED]
    return ProviderView(
        name=name,
        is_up=seen.error is None,
        error=seen.error and (seen.error.cause or seen.error.message),
        model_count=len(seen.cards),
        circuits=[
            OpenCircuit(
                model=model,
                state=circuits.state(model),
                open_for_seconds=circuits.open_for_s(model),
            )
            for model in opened
        ],
    )
