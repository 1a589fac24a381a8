"""Models on the wire."""

from pydantic import BaseModel, Field

from raylm_apps.gateway.wire.base import Wire


class Capabilities(Wire):
    tools: bool = False
    vision: bool = False
    reasoning: bool = False


class ModelView(BaseModel):
    id: str
    name: str
    provider: str
    capabilities: Capabilities
    chat_template: bool = Field(description="false: a base model, served as plain completion")
    context_tokens: int | None


class ModelsView(BaseModel):
    default: str | None
    models: list[ModelView]
    capabilities: dict[str, Capabilities]
