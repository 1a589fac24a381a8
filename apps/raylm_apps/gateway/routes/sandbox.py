"""The frame in which the page runs a document's Python: an origin of its own, without cookies.

Its policy makes it a sandbox even where it is opened by itself, lets it load nothing but the files
below, and speak to nobody else. Pyodide's are those in `RAYLM_PYODIDE_DIR`.
"""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse

from raylm_apps.gateway import sandbox
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway

FOLDER = Path(sandbox.__file__).parent
POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
# An opaque origin reads its own server's files as a stranger does.
SHARED = {
    "content-security-policy": POLICY,
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}
ALWAYS_ASK = {**SHARED, "cache-control": "no-cache"}
A_DAY = {**SHARED, "cache-control": "public, max-age=86400"}
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
}
ENTRY = "pyodide.mjs"
router = APIRouter(prefix="/sandbox", include_in_schema=False)


@router.get("/frame.html")
async def frame(gateway: Gateway) -> HTMLResponse:
    folder = gateway.settings.pyodide_dir
    state = "installed" if folder and (folder / ENTRY).is_file() else "missing"
    html = (FOLDER / "frame.html").read_text().replace("{{pyodide}}", state)
    return HTMLResponse(html, headers=ALWAYS_ASK)


@router.get("/frame.js")
async def frame_script() -> FileResponse:
    return FileResponse(FOLDER / "frame.js", headers=ALWAYS_ASK, media_type=MEDIA_TYPES[".js"])


@router.get("/python.js")
async def python_script() -> FileResponse:
    return FileResponse(FOLDER / "python.js", headers=ALWAYS_ASK, media_type=MEDIA_TYPES[".js"])


@router.get("/pyodide/{name}")
async def pyodide(gateway: Gateway, name: str) -> FileResponse:
    folder = gateway.settings.pyodide_dir
    path = folder / name if folder else None
    # A name has no slash, so only `..` could lead out of the folder; it is no file.
    if path is None or "\0" in name or not path.is_file():
        raise ApiError("not_found:api", f"/sandbox/pyodide/{name[:200]}")
    kind = MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, headers=A_DAY, media_type=kind)
