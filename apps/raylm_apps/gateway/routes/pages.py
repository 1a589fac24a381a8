"""The web UI: the built page for every address it routes itself, and its hashed assets."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from raylm_apps.gateway.errors import ApiError

STATIC = Path(__file__).parent.parent / "static"
FOREVER = {"cache-control": "public, max-age=31536000, immutable"}
ALWAYS_ASK = {"cache-control": "no-cache"}
NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>RayLM</title>
<style>body { font: 16px/1.6 system-ui; max-width: 36rem; margin: 15vh auto; padding: 0 1rem }
code { background: #8883; padding: .1em .4em; border-radius: .3em }</style>
<h1>RayLM is running</h1>
<p>The web page is not built yet: run <code>make web</code>, then reload.
The API is described at <a href="/docs">/docs</a>.</p></html>
"""


def pages_router(static: Path = STATIC) -> APIRouter:
    """Added last: its `/{name}` takes what no other route wants.

    Nothing deeper: an address of the API that has no GET would be lost in it.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    @router.get("/chat/{chat_id}")
    @router.get("/models")
    @router.get("/runs")
    @router.get("/runs/{run_id}")
    @router.get("/settings")
    @router.get("/login")
    @router.get("/register")
    @router.get("/forgot-password")
    @router.get("/reset-password")
    @router.get("/verify-email")
    async def page() -> Response:
        index = static / "index.html"
        if not index.is_file():
            return HTMLResponse(NOT_BUILT, headers=ALWAYS_ASK)
        return FileResponse(index, headers=ALWAYS_ASK)

    @router.get("/assets/{name:path}")
    async def asset(name: str) -> Response:
        return _file(static, f"assets/{name}", FOREVER)

    @router.get("/{name}")
    async def file(request: Request, name: str) -> Response:
        """Whom a browser has led astray reads so on the page."""
        index = static / "index.html"
        if "text/html" not in request.headers.get("accept", "") or not index.is_file():
            return _file(static, name, ALWAYS_ASK)
        found = _find(static, name)
        return FileResponse(found or index, 200 if found else 404, headers=ALWAYS_ASK)

    return router


def _file(static: Path, path: str, headers: dict[str, str]) -> Response:
    found = _find(static, path)
    if found is None:
        raise ApiError("not_found:api", f"/{path[:200]}")
    return FileResponse(found, headers=headers)


def _find(static: Path, path: str) -> Path | None:
    try:
        wanted = (static / path).resolve()
        is_file = wanted.is_relative_to(static.resolve()) and wanted.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return wanted if is_file else None
