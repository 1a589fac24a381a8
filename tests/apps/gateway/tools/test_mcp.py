"""A real MCP server over both transports, as it comes and goes."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.providers.mock import MockProvider
from raylm_apps.gateway.tools import mcp
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.mcp import McpConnection
from raylm_apps.gateway.tools.mcp_config import McpServer
from tests.apps.gateway.harness import free_port
from tests.apps.gateway.mcp_servers import SERVER

CARD = ModelCard("mock/tools", "tools", "mock", tools=True)
COMMAND = (sys.executable, str(SERVER))


@asynccontextmanager
async def connected(server: McpServer) -> AsyncIterator[McpConnection]:
    connection = McpConnection(server)
    running = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@contextmanager
def http_server(port: int, folder: Path) -> Iterator[None]:
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*COMMAND, str(folder / "notes"), str(port)], stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def until(condition: Any, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def call(connection: McpConnection, name: str, **arguments: Any) -> Any:
    shown: list[Any] = []
    context = ToolContext("u", "c", "m", MockProvider(), CARD, lambda part: None, shown.append)
    tool = next(tool for tool in connection.tools if tool.name == name)
    result = await tool.run(tool.arguments.model_validate(arguments), context)
    return (result, shown) if shown else result


async def use(connection: McpConnection) -> None:
    await until(lambda: connection.tools)
    assert {tool.name for tool in connection.tools} == {"demo_wait", "demo_big", "demo_fail"}
    by_name = {tool.name: tool for tool in connection.tools}
    assert by_name["demo_big"].description == "So many characters."
    schema = by_name["demo_big"].arguments.model_json_schema()
    assert schema["properties"]["characters"]["type"] == "integer"
    assert [by_name[name].needs_approval for name in ("demo_big", "demo_wait")] == [True, False]
    assert await call(connection, "demo_big", characters=3) == {"result": "xxx"}
    result, shown = await call(connection, "demo_wait", seconds=0.2)
    assert result == {"result": "waited 0.2 s"}
    assert shown[0] == {"progress": 0.0, "total": 0.2, "message": "waiting"}
    with pytest.raises(ToolError, match="the disk is full"):
        await call(connection, "demo_fail")
    with pytest.raises(ToolError, match="characters"):
        await call(connection, "demo_big", characters="many")


CHOICE: dict[str, Any] = {
    "name": "demo",
    "tools": frozenset({"wait", "big", "fail"}),
    "needs_approval": frozenset({"big"}),
}


async def test_over_its_standard_input(tmp_path: Path) -> None:
    server = McpServer(command=(*COMMAND, str(tmp_path / "notes")), **CHOICE)
    async with connected(server) as connection:
        await use(connection)


async def test_over_http(tmp_path: Path) -> None:
    port = free_port()
    with http_server(port, tmp_path):
        async with connected(McpServer(url=f"http://127.0.0.1:{port}/mcp", **CHOICE)) as connection:
            await use(connection)


async def test_a_server_that_is_away_is_tried_again_and_reported_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(mcp, "LAST_RETRY_S", 0.1)
    monkeypatch.setattr(mcp, "LOOK_EVERY_S", 0.1)
    port = free_port()
    server = McpServer(name="demo", url=f"http://127.0.0.1:{port}/mcp")
    with capture_logs() as logs:
        async with connected(server) as connection:
            await until(lambda: logs)
            await asyncio.sleep(0.5)
            assert [log["log_level"] for log in logs] == ["warning"]
            assert connection.tools == ()
            with http_server(port, tmp_path):
                await until(lambda: connection.tools)
                tool = connection.tools[0]
            await until(lambda: not connection.tools)
            context = ToolContext("u", "c", "m", MockProvider(), CARD, lambda part: None)
            with pytest.raises(ToolError, match="demo cannot be reached"):
                await tool.run(tool.arguments(), context)
    assert [log["log_level"] for log in logs if log["event"].startswith("an MCP server")] == [
        *("warning", "info", "warning")
    ]


async def test_a_command_that_does_not_exist() -> None:
    with capture_logs() as logs:
        async with connected(McpServer(name="none", command=("/no/such/program",))) as connection:
            await until(lambda: logs)
            assert connection.tools == ()
    assert "No such file" in logs[0]["error"]
