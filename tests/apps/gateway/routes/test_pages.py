from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.pages import pages_router
from tests.apps.gateway.harness import User


@pytest.fixture
def static(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>built</title>")
    (folder / "assets" / "app-abc.js").write_text("run()")
    (tmp_path / "secret").write_text("never")
    return folder


async def get(static: Path, path: str, accept: str = "*/*") -> httpx.Response:
    app = FastAPI()
    app.include_router(pages_router(static))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway"
    ) as client:
        return await client.get(path, headers={"accept": accept})


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/chat/abc",
        "/settings",
        "/login",
        "/register",
        "/forgot-password",
        "/reset-password",
        "/verify-email",
    ],
)
async def test_the_page_answers_the_addresses_it_routes(static: Path, path: str) -> None:
    response = await get(static, path)
    assert "built" in response.text
    assert response.headers["cache-control"] == "no-cache"


async def test_assets_are_kept_forever(static: Path) -> None:
    response = await get(static, "/assets/app-abc.js")
    assert response.text == "run()"
    assert "immutable" in response.headers["cache-control"]
    assert "javascript" in response.headers["content-type"]


async def test_a_page_that_is_not_built_says_so(tmp_path: Path) -> None:
    response = await get(tmp_path / "nothing", "/")
    assert response.status_code == 200
    assert "make web" in response.text


@pytest.mark.parametrize("path", ["/no", "/assets/../../secret", "/assets/%2e%2e/%2e%2e/secret"])
async def test_no_way_out_of_the_folder(static: Path, path: str) -> None:
    with pytest.raises(ApiError, match="not_found"):
        await get(static, path)


async def test_a_browser_is_shown_a_page_where_there_is_nothing(static: Path) -> None:
    response = await get(static, "/no", "text/html,*/*;q=0.8")
    assert (response.status_code, response.text) == (404, "<title>built</title>")
    (static / "robots.txt").write_text("none")
    assert (await get(static, "/robots.txt", "text/html")).text == "none"


@pytest.mark.parametrize("path", ["/%2e%2e/secret", "/..%2fsecret", "/chat/abc/def"])
async def test_nothing_deeper(static: Path, path: str) -> None:
    assert (await get(static, path)).status_code == 404


@pytest.mark.services
def test_every_response_has_the_security_headers(ada: User) -> None:
    for path in ("/", "/api/history", "/nowhere", "/docs"):
        headers = ada.http.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.services
def test_unknown_addresses_answer_in_the_house_shape(ada: User) -> None:
    missing = ada.http.get("/api/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found:api")
    wrong = ada.http.put("/api/history")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed:api")


@pytest.mark.services
def test_the_documentation_needs_no_script(ada: User) -> None:
    page = ada.http.get("/docs").text
    assert "/api/chat/{chat_id}/stop" in page
    assert "<script" not in page
    assert "/api/chat" in ada.http.get("/openapi.json").json()["paths"]
