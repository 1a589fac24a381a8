"""Uploads: private to their owner, and to whoever may read a chat that holds them."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from raylm_apps.gateway.auth import MaybeUser, SignedIn
from raylm_apps.gateway.errors import FileError
from raylm_apps.gateway.files.kinds import RASTER
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.store import chats, files
from raylm_apps.gateway.store.files import File
from raylm_apps.gateway.wire.base import Id, Wire

HEADERS = {
    "cache-control": "private, no-cache",
    "content-security-policy": "default-src 'none'; sandbox",
}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
router = APIRouter(prefix="/api/files", tags=["files"])


class FileIdConvertor(StringConvertor):
    """Of one segment; `/upload` is an address of its own, which knows no GET."""

    regex = "(?!upload$)[^/]+"


register_url_convertor("file_id", FileIdConvertor())


class FileView(Wire):
    """The names that Vercel's blob store gives, and those of a UI message's file part."""

    id: str
    url: str
    pathname: str
    content_type: str
    size: int
    filename: str
    media_type: str


@router.post("/upload", openapi_extra=FORM)
async def upload(gateway: Gateway, session: SignedIn, request: Request) -> FileView:
    """One image (JPEG, PNG, GIF, WebP), PDF or text, as `file`: its bytes decide which."""
    name, data = await _posted(request)
    return _view(await gateway.uploads.keep(session, name, data))


@router.get(
    "/{file_id:file_id}",
    response_class=Response,
    responses={
        200: {"content": {"*/*": {}}},
        304: {"description": "the file that the client has"},
    },
)
async def read(
    gateway: Gateway,
    session: MaybeUser,
    file_id: Id,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The bytes. Images may be shown in a page, anything else is to be saved."""
    file = await _readable(gateway, file_id, session.user_id if session else None)
    tag = f'"{file.object_key}"'
    if if_none_match == tag:
        return Response(status_code=304, headers={**HEADERS, "etag": tag})
    shown = "inline" if file.content_type in RASTER else "attachment"
    disposition = f"{shown}; filename*=UTF-8''{quote(file.name, safe='')}"
    return Response(
        await gateway.uploads.read(file),
        media_type=file.content_type,
        headers={**HEADERS, "etag": tag, "content-disposition": disposition},
    )


@router.delete("/{file_id:file_id}")
async def delete(gateway: Gateway, session: SignedIn, file_id: Id) -> FileView:
    return _view(await gateway.uploads.remove(session.user_id, file_id))


async def _posted(request: Request) -> tuple[str, bytes]:
    try:
        form = await request.form(max_files=1, max_fields=8, max_part_size=10_000)
    except HTTPException as error:
        kind = "too_large" if error.status_code == 413 else "bad_request"
        raise FileError(f"{kind}:file", str(error.detail)) from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise FileError("bad_request:file", "the form must have a file named `file`")
        return file.filename or "", await file.read()
    finally:
        await form.close()


async def _readable(gateway: Services, file_id: str, user_id: str | None) -> File:
    """A stranger's file is not there: its id is a secret, unlike a shared chat's."""
    async with gateway.database.connection() as connection:
        file = await files.find(connection, file_id)
        is_shown = file is not None and (
            file.user_id == user_id or await chats.holding_file(connection, file_id, user_id)
        )
    if file is None or not is_shown:
        raise FileError("not_found:file")
    return file


def _view(file: File) -> FileView:
    return FileView(
        id=file.id,
        url=file.url,
        pathname=file.name,
        content_type=file.content_type,
        size=file.size_bytes,
        filename=file.name,
        media_type=file.content_type,
    )
