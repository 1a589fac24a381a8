"""The local engine's models and the providers' health, for admins."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from raylm_apps.gateway.routing.circuit import State
from raylm_apps.gateway.wire.base import Wire


class LocalModel(Wire):
    """Figures are of the replica that has answered, null while it is not loaded."""

    id: str
    model: str | None = Field(description="what it can be loaded by: a name or a folder")
    run_id: str | None
    step: int | None
    state: Literal["loaded", "loading", "unloaded", "failed"]
    loading_seconds: float | None
    failure: str | None
    chat_template: bool | None
    context_tokens: int | None
    tokens_per_second: float | None
    generated_tokens: int | None
    first_token_seconds: float | None = Field(description="the mean since it was loaded")
    waiting: int | None
    running: int | None
    cache_used: float | None = Field(description="a share of its KV cache")


class EngineView(Wire):
    is_up: bool
    error: str | None
    can_change: bool = Field(description="whether the gateway has its admin key")
    available_bytes: int | None
    models: list[LocalModel]


class OpenCircuit(Wire):
    model: str
    state: State
    open_for_seconds: float


class ProviderView(Wire):
    name: str
    is_up: bool
    error: str | None
    model_count: int
    circuits: list[OpenCircuit] = Field(description="of its models that are left alone")


class AdminModelsView(Wire):
    engine: EngineView | None = Field(description="null where there is none")
    providers: list[ProviderView]


ModelName = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]


class LoadRequest(Wire):
    model: ModelName = Field(description="one of those listed as `model`")
