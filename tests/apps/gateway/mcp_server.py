"""A real MCP server: `mcp_server.py NOTES` on its standard input, with a PORT over HTTP."""

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer("demo")


@server.tool()
async def wait(seconds: float, context: Context) -> str:
    """Waits, and tells how long it has waited."""
    for tenth in range(round(10 * seconds)):
        await context.report_progress(tenth / 10, seconds, "waiting")
        await asyncio.sleep(0.1)
    return f"waited {seconds:g} s"


@server.tool()
def big(characters: int) -> str:
    """So many characters."""
    return "x" * characters


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ToolError("the disk is full")


@server.tool()
def note(text: str) -> str:
    """Writes a note down, once for each call."""
    with Path(sys.argv[1]).open("a") as notes:
        notes.write(f"{text}\n")
    return f"noted {text}"


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        server.run("streamable-http", port=int(sys.argv[2]))
    else:
        server.run()
