"""The tools by name, and which of them a model gets."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from raylm.core.wire.prompt import ToolDefinition
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.tools.base import Tool

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
Source = Callable[[], Iterable[Tool]]


@lru_cache(1024)
def _schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """Made once: for every message it cost as much as all the rest."""
    schema: dict[str, Any] = without_titles(arguments.model_json_schema())
    return schema


@dataclass(frozen=True)
class OfferedTool:
    """A tool, and whether a person must allow each call."""

    tool: Tool
    needs_approval: bool

    @property
    def definition(self) -> ToolDefinition:
        return ToolDefinition(self.tool.name, self.tool.description, _schema(self.tool.arguments))


Toolbox = dict[str, OfferedTool]


class Registry:
    """Tools that are always there, and sources of tools that come and go."""

    def __init__(
        self, tools: Iterable[Tool] = (), *, approval: frozenset[str] = frozenset()
    ) -> None:
        self._tools: dict[str, Tool] = {}
        self._sources: list[Source] = []
        self._approval = approval
        for tool in tools:
            self.register(tool)

    def register(self, tool: Tool) -> None:
        """Raises ValueError for a name that is taken or that providers refuse."""
        if not _NAME.fullmatch(tool.name):
            raise ValueError(f"tool {tool.name!r}: a name has 1 to 64 of A-Z a-z 0-9 _ -")
        if tool.name in self._tools:
            raise ValueError(f"tool {tool.name!r} is registered twice; give one another name")
        self._tools[tool.name] = tool

    def add_source(self, source: Source) -> None:
        """Asked anew for every answer; a registered tool wins over a source's of the same name."""
        self._sources.append(source)

    def toolbox(self, model: ModelCard, *, approvals: bool) -> Toolbox:
        """What the model may call; what needs approval, only if the client can ask for it."""
        if not model.tools:
            return {}
        found = {tool.name: tool for source in self._sources for tool in source()}
        offered = {
            name: OfferedTool(tool, tool.needs_approval or name in self._approval)
            for name, tool in (found | self._tools).items()
        }
        return {
            name: tool for name, tool in offered.items() if approvals or not tool.needs_approval
        }


def without_titles(schema: Any) -> Any:
    """pydantic titles every field after its name, which costs a model tokens and tells nothing."""
    if isinstance(schema, list):
        return [without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: without_titles(value) for field, value in inner.items()}
        if name == "properties"
        else without_titles(inner)
        for name, inner in schema.items()
        if not (name == "title" and isinstance(inner, str))
    }
