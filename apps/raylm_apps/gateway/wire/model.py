"""Models on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from raylm_apps.gateway.wire.base import Wire


class Capabilities(Wire):
    tools: bool = False
    vision: bool = False
    reasoning: bool = False


class PricesView(Wire):
    """In dollars for a million tokens."""

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None


class ModelView(BaseModel):
    id: str
    name: str
    provider: str
    capabilities: Capabilities
    chat_template: bool = Field(description="false: a base model, served as plain completion")
    context_tokens: int | None
    prices: PricesView | None = None


class ModelsView(BaseModel):
    default: str | None
    models: list[ModelView]
    capabilities: dict[str, Capabilities]


class V1ModelView(BaseModel):
    """As OpenAI's clients read it; `max_model_len` is ours."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: Annotated[int | None, Field(exclude_if=lambda value: value is None)] = None


class V1ModelsView(BaseModel):
    object: Literal["list"] = "list"
    data: list[V1ModelView]
