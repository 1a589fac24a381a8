"""Tools of MCP servers. A server may come and go: its tools are there while it is."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import structlog
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from mcp.types import Tool as ListedTool
from pydantic import BaseModel, ConfigDict

from raylm.core.wire.tool_naming import tool_name
from raylm_apps.gateway.tools.base import Tool, ToolContext, ToolError
from raylm_apps.gateway.tools.mcp_config import McpServer

START_TIMEOUT_S = 60.0  # `npx` and `uvx` download a server first
LIST_TIMEOUT_S = 10.0
# How often the list is read anew: a server that has died is noticed by this, or by a call.
LOOK_EVERY_S = 30.0
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
MAX_TOOLS, MAX_PAGES = 128, 20
HTTP_TIMEOUT = httpx2.Timeout(30, read=300)  # a server may hold a response open
logger = structlog.get_logger()


class AnyArguments(BaseModel):
    """The server checks them; its schema is what the model sees."""

    model_config = ConfigDict(extra="allow")


class McpTool:
    def __init__(self, connection: "McpConnection", listed: ListedTool) -> None:
        server = connection.server
        self.name = tool_name(f"{server.name}_{listed.name}")
        self.description = listed.description or listed.name
        self.arguments = _arguments(listed.input_schema)
        self.needs_approval = server.asks_before(listed.name)
        self.timeout_s = server.timeout_s
        self._connection = connection
        self._remote_name = listed.name

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        async def progress(done: float, total: float | None, message: str | None) -> None:
            context.show({"progress": done, "total": total, "message": message})

        given = arguments.model_dump()
        result = await self._connection.call(self._remote_name, given, progress)
        if result.is_error:
            raise ToolError(_text(result) or "The tool failed.")
        return _text(result) if result.structured_content is None else result.structured_content


class McpConnection:
    """One server: connected as long as it lives, and again when it is back."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self.tools: Sequence[Tool] = ()
        self._client: Client | None = None
        self._look = asyncio.Event()
        self._is_known_away = False

    def offered(self) -> Sequence[Tool]:
        return self.tools

    async def run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self._hold()
            except Exception as error:  # whatever a transport or a stranger's server comes up with
                was_connected = self._client is not None
                self._note_away(error)
                retry_s = FIRST_RETRY_S if was_connected else min(2 * retry_s, LAST_RETRY_S)
            await asyncio.sleep(retry_s)

    async def call(self, name: str, arguments: dict[str, Any], progress: Any) -> CallToolResult:
        """Raises ToolError where the server is away or refuses."""
        if self._client is None:
            raise ToolError(f"{self.server.name} cannot be reached at the moment.")
        try:
            return await self._client.call_tool(name, arguments, progress_callback=progress)
        except MCPError as error:
            raise ToolError(f"{self.server.name}: {error.message}") from error
        finally:
            self._look.set()  # a failure may be the server's end, a success may change its tools

    async def _hold(self) -> None:
        """Until the server fails to list its tools."""
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(START_TIMEOUT_S):
                client = await stack.enter_async_context(await self._connect(stack))
                self.tools = await self._listed(client)
            self._client = client
            logger.info("an MCP server is there", server=self.server.name, tools=len(self.tools))
            self._is_known_away = False
            while True:
                self._look.clear()
                await _within(LOOK_EVERY_S, self._look)
                async with asyncio.timeout(LIST_TIMEOUT_S):
                    self.tools = await self._listed(client)

    async def _connect(self, stack: AsyncExitStack) -> Client:
        if self.server.command is not None:
            command, *args = self.server.command
            env = dict(self.server.env)
            parameters = StdioServerParameters(command=command, args=args, env=env)
            return Client(stdio_client(parameters))
        assert self.server.url is not None
        http = httpx2.AsyncClient(headers=self.server.headers, timeout=HTTP_TIMEOUT)
        await stack.enter_async_context(http)
        return Client(streamable_http_client(self.server.url, http_client=http))

    async def _listed(self, client: Client) -> list[Tool]:
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            found += [McpTool(self, tool) for tool in page.tools if self.server.allows(tool.name)]
            cursor = page.next_cursor
            if cursor is None:
                break
        return found[:MAX_TOOLS]

    def _note_away(self, error: Exception) -> None:
        """One warning, however often it is tried again."""
        self.tools, self._client = (), None
        if not self._is_known_away:
            reason = _reason(error)
            logger.warning("an MCP server is away", server=self.server.name, error=reason)
        self._is_known_away = True


def _arguments(schema: dict[str, Any]) -> type[BaseModel]:
    class Arguments(AnyArguments):
        @classmethod
        def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
            return schema

    return Arguments


def _text(result: CallToolResult) -> str:
    pieces = [
        block.text if isinstance(block, TextContent) else f"[{block.type}]"
        for block in result.content
    ]
    return "\n".join(pieces)


def _reason(error: BaseException) -> str:
    """A task group's failure is a group of failures: the first one tells."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
