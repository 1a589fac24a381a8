from pathlib import Path

import pytest

from raylm.core.errors import ConfigError
from raylm_apps.gateway.tools.mcp_config import read_mcp_config

WHOLE = """
servers:
  - name: files
    command: [uvx, server, /srv]
    tools: [read_file]
  - name: tickets
    url: https://tickets.example.com/mcp
    headers: {Authorization: "Bearer ${TICKETS_TOKEN}"}
    needs_approval: [create]
"""


def test_servers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKETS_TOKEN", "secret")
    (tmp_path / "mcp.yaml").write_text(WHOLE)
    files, tickets = read_mcp_config(tmp_path / "mcp.yaml").servers
    assert files.command == ("uvx", "server", "/srv")
    assert (files.allows("read_file"), files.allows("write_file")) == (True, False)
    assert (tickets.allows("any"), tickets.asks_before("create")) == (True, True)
    assert tickets.asks_before("list") is False
    assert tickets.headers == {"Authorization": "Bearer secret"}


def test_no_file_no_servers(tmp_path: Path) -> None:
    assert read_mcp_config(None).servers == ()
    (tmp_path / "empty.yaml").touch()
    assert read_mcp_config(tmp_path / "empty.yaml").servers == ()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("servers: [{name: a}]", "needs a url or a command"),
        ("servers: [{name: a, url: 'http://x', command: [y]}]", "and not both"),
        ("servers: [{name: a, url: 'file:///etc/passwd'}]", "servers.0.url"),
        ("servers: [{name: a_b, url: 'http://x'}]", "servers.0.name"),
        ("servers: [{name: a, url: 'http://x', tool: [b]}]", "servers.0.tool: Extra inputs"),
        ("servers: [{name: a, url: 'http://x'}, {name: a, command: [y]}]", "two servers"),
        ("servers: [{name: a, url: 'http://${NOT_SET_ANYWHERE}'}]", "NOT_SET_ANYWHERE} is not set"),
        ("servers: [", "while parsing"),
    ],
)
def test_a_mistake_is_named_in_one_line(tmp_path: Path, text: str, mistake: str) -> None:
    (tmp_path / "mcp.yaml").write_text(text)
    with pytest.raises(ConfigError, match="RAYLM_MCP_CONFIG") as failure:
        read_mcp_config(tmp_path / "mcp.yaml")
    assert mistake in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_mcp_config(tmp_path / "none.yaml")
