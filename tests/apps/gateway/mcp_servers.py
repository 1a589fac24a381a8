"""The tests' MCP server as the gateway is told of it, and what it has written down."""

import sys
from pathlib import Path

import yaml

SERVER = Path(__file__).with_name("mcp_server.py")


class McpNotes:
    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, text: str) -> int:
        return self._path.read_text().splitlines().count(text) if self._path.exists() else 0


def mcp_config(folder: Path) -> Path:
    """Two servers of one kind: `demo` asks before a note, `hasty` gives a call half a second."""
    command = [sys.executable, str(SERVER), str(folder / "notes")]
    demo = {"name": "demo", "command": command, "needs_approval": ["note"]}
    hasty = {"name": "hasty", "command": command, "tools": ["wait"], "timeout_s": 0.5}
    path = folder / "mcp.yaml"
    path.write_text(yaml.safe_dump({"servers": [demo, hasty]}))
    return path
