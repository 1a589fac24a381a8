"""The seam between an answer and what its model may call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from raylm_apps.gateway.providers.base import ModelCard, Provider


class ToolError(Exception):
    """The tool could not do it; the message is for the model and the user."""


def _nobody_looks(result: Any) -> None:
    """For tools that run outside of an answer."""


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
    show: Callable[[Any], None] = _nobody_looks
    """Shows a preliminary result, until the next one or the final one."""


class Tool(Protocol):
    """Attributes may be read-only: a class's own, or properties."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def arguments(self) -> type[BaseModel]:
        """Its JSON schema is what the model sees; what the model sends is checked against it."""
        ...

    @property
    def needs_approval(self) -> bool: ...

    @property
    def timeout_s(self) -> float: ...

    async def run(self, arguments: Any, context: ToolContext) -> Any:
        """What the model is told, as JSON; `arguments` is of the tool's type. Raises ToolError."""
        ...
