"""The seam between an answer and what its model may call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from raylm_apps.gateway.providers.base import ModelCard, Provider


class ToolError(Exception):
    """The tool could not do it; the message is for the model and the user."""


@dataclass(frozen=True)
class ToolContext:
    """For whom a tool runs, and how it shows what it does while it runs."""

    user_id: str
    chat_id: str
    message_id: str
    provider: Provider
    model: ModelCard
    emit: Callable[[dict[str, Any]], None]
    """Puts a `data-*` part into the answer's stream."""


class Tool(Protocol):
    name: str
    description: str
    arguments: type[BaseModel]
    """Its JSON schema is what the model sees; what the model sends is checked against it."""
    needs_approval: bool
    timeout_s: float

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        """What the model is told, as JSON. Raises ToolError."""
        ...
