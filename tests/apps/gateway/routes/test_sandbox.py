from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes import sandbox
from raylm_apps.gateway.settings import Settings


@pytest.fixture
def pyodide(tmp_path: Path) -> Path:
    folder = tmp_path / "pyodide"
    folder.mkdir()
    (folder / "pyodide.mjs").write_text("export {}")
    (folder / "pyodide.asm.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret").write_text("never")
    return folder


def client_of(pyodide_dir: Path | None) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(sandbox.router)
    app.state.services = SimpleNamespace(settings=Settings(pyodide_dir=pyodide_dir))
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway/sandbox")


@pytest.fixture
async def client(pyodide: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(pyodide) as client:
        yield client


async def test_the_frame_is_a_sandbox_by_itself(client: httpx.AsyncClient) -> None:
    frame = await client.get("/frame.html")
    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in frame.headers["content-security-policy"].split(";")
    )
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'self'"
    assert "unsafe-inline" not in policy["script-src"]
    assert 'data-pyodide="installed"' in frame.text


@pytest.mark.parametrize("name", ["frame.html", "frame.js", "python.js", "pyodide/pyodide.mjs"])
async def test_an_opaque_origin_may_load_every_file(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/{name}")
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_pyodides_files_have_their_types(client: httpx.AsyncClient) -> None:
    types = [
        (await client.get(f"/pyodide/{name}")).headers["content-type"]
        for name in ("pyodide.mjs", "pyodide.asm.wasm")
    ]
    assert types == ["text/javascript; charset=utf-8", "application/wasm"]


@pytest.mark.parametrize("missing", [None, Path("/nowhere")])
async def test_without_pyodide_the_frame_says_so(missing: Path | None) -> None:
    async with client_of(missing) as client:
        assert 'data-pyodide="missing"' in (await client.get("/frame.html")).text
        with pytest.raises(ApiError, match="not_found"):
            await client.get("/pyodide/pyodide.mjs")


@pytest.mark.parametrize("name", ["no", "%2e%2e", "a%00b", "%2e%2e%5csecret"])
async def test_nothing_beside_the_folders_files(client: httpx.AsyncClient, name: str) -> None:
    with pytest.raises(ApiError, match="not_found"):
        await client.get(f"/pyodide/{name}")


async def test_no_way_out_of_the_folder(client: httpx.AsyncClient) -> None:
    assert (await client.get("/pyodide/%2e%2e/secret")).status_code == 404
