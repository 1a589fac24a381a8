"""Which MCP servers there are, from a YAML file.

servers:
  - name: files
    command: [uvx, mcp-server-filesystem, /srv/shared]
    tools: [read_file, list_directory]     # default: all
  - name: tickets
    url: https://tickets.example.com/mcp
    headers: {Authorization: "Bearer ${TICKETS_TOKEN}"}
    needs_approval: [create_ticket]        # or true, or false (the default)
"""

import os
import re
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from raylm.core.errors import ConfigError
from raylm_apps.gateway.wire.error import explain

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class McpServer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,24}$")]
    """The first part of its tools' names: `files_read_file`."""
    url: Annotated[str, Field(pattern=r"^https?://")] | None = None
    """Of a server that speaks streamable HTTP."""
    headers: dict[str, str] = {}
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Of a server that speaks over its standard input and output."""
    env: dict[str, str] = {}
    tools: frozenset[str] | None = None
    needs_approval: bool | frozenset[str] = False
    timeout_s: Annotated[float, Field(gt=0)] = 30.0
    """For one call."""

    @model_validator(mode="after")
    def _one_transport(self) -> Self:
        if (self.url is None) == (self.command is None):
            raise ValueError(f"server {self.name!r} needs a url or a command, and not both")
        return self

    def allows(self, tool: str) -> bool:
        return self.tools is None or tool in self.tools

    def asks_before(self, tool: str) -> bool:
        asks = self.needs_approval
        return asks if isinstance(asks, bool) else tool in asks


class McpConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: tuple[McpServer, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [server.name for server in self.servers]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two servers are called {twice!r}")
        return self


def read_mcp_config(path: Path | None) -> McpConfig:
    """Raises ConfigError, one line. `${NAME}` stands for a variable of the environment."""
    if path is None:
        return McpConfig()
    try:
        return McpConfig.model_validate(yaml.safe_load(_with_variables(path)) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"RAYLM_MCP_CONFIG {str(path)!r}: {reason}") from None
    except ValidationError as error:
        mistakes = "; ".join(explain(mistake) for mistake in error.errors())
        raise ConfigError(f"RAYLM_MCP_CONFIG {str(path)!r}: {mistakes}") from None


def _with_variables(path: Path) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ConfigError(f"RAYLM_MCP_CONFIG {str(path)!r}: ${{{found[1]}}} is not set")
        return os.environ[found[1]]

    return _VARIABLE.sub(value, path.read_text())
