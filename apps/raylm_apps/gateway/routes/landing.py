"""Where the links in mails lead, whether or not the web UI is built."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from raylm_apps.gateway import mail

FOLDER = Path(mail.__file__).parent
HEADERS = {"cache-control": "no-cache", "referrer-policy": "no-referrer"}
router = APIRouter(include_in_schema=False)


@router.get("/reset-password")
@router.get("/verify-email")
async def page() -> FileResponse:
    return FileResponse(FOLDER / "landing.html", headers=HEADERS)


@router.get("/landing.js")
async def script() -> FileResponse:
    return FileResponse(FOLDER / "landing.js", headers=HEADERS)
