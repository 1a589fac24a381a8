import json
from typing import Any

import pytest
from starlette.datastructures import Headers

from raylm_apps.gateway.errors import FileError
from raylm_apps.gateway.inbound.error_shapes import error_response
from raylm_apps.gateway.security import BodyRule, Security, refusal

JSON = {"content-type": "application/json; charset=utf-8", "content-length": "2"}


def code(method: str = "POST", **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = refusal(method, Headers({"host": "chat.example", **JSON, **named}), BodyRule(1_000))
    return error.code if error else None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://chat.example"},
        {"sec_fetch_site": "same-origin", "origin": "http://localhost:5173"},
        {"sec_fetch_site": "none"},
    ],
)
def test_writes_from_here_pass(headers: dict[str, str]) -> None:
    assert code(**headers) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://chat.example.evil.example"},
        {"origin": "https://chat.example:8443"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "https://chat.example"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_writes_from_elsewhere_are_refused(method: str, headers: dict[str, str]) -> None:
    assert code(method, **headers) == "forbidden:api"


def test_a_program_with_a_key_may_write_from_anywhere() -> None:
    """A browser adds no such header by itself, and asks first before a page may add one."""
    assert code(origin="https://elsewhere.example", authorization="Bearer raylm_key") is None
    assert code(origin="https://elsewhere.example", x_api_key="raylm_key") is None
    assert code(origin="https://elsewhere.example", authorization="Basic eA==") == "forbidden:api"


def test_reads_from_elsewhere_pass() -> None:
    assert code("GET", sec_fetch_site="cross-site") is None


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"content_length": "1001"}, "too_large:api"),
        ({"content_length": "-1"}, "too_large:api"),
        ({"content_type": "text/plain"}, "unsupported_media_type:api"),
        ({"content_type": ""}, "unsupported_media_type:api"),
        ({"content_type": "", "content_length": "0"}, None),
        (
            {"content_type": "", "content_length": "0", "transfer_encoding": "chunked"},
            "unsupported_media_type:api",
        ),
    ],
)
def test_bodies(headers: dict[str, str], refused: str | None) -> None:
    assert code(**headers) == refused


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"content-type": "multipart/form-data; boundary=x"}, None),
        ({"content-type": "application/json"}, "unsupported_media_type:file"),
        ({"content-type": "multipart/form-data", "content-length": "1001"}, "too_large:file"),
        ({"content-type": "multipart/form-data", "sec-fetch-site": "cross-site"}, "forbidden:api"),
        (
            {"content-type": "multipart/form-data", "origin": "https://evil.example"},
            "forbidden:api",
        ),
    ],
)
def test_a_form_is_let_in_from_here_alone(headers: dict[str, str], refused: str | None) -> None:
    rule = BodyRule(1_000, "multipart/form-data", FileError, "file")
    error = refusal(
        "POST", Headers({"host": "chat.example", "content-length": "9", **headers}), rule
    )
    assert (error.code if error else None) == refused


@pytest.mark.parametrize(
    ("path", "most_bytes", "shape"),
    [
        ("/api/chat", 1, "code"),
        ("/v1/chat/completions", 3, "error"),
        ("/v1/messages", 3, "type"),
        ("/v1", 1, "code"),
    ],
)
async def test_bodies_of_programs_may_be_larger(path: str, most_bytes: int, shape: str) -> None:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    security = Security(
        _accept,
        max_body_bytes=1,
        max_file_bytes=2,
        max_api_body_bytes=3,
        respond=error_response,
    )
    headers = [(b"content-type", b"application/json"), (b"host", b"x")]
    for length, refused in ((most_bytes, False), (most_bytes + 1, True)):
        told.clear()
        given = [*headers, (b"content-length", str(length).encode())]
        scope = {"type": "http", "method": "POST", "path": path, "headers": given}
        await security(scope, _receive, send)
        assert bool(told) is refused
    assert told[0]["status"] == 413
    assert shape in json.loads(told[1]["body"])


async def _accept(scope: Any, receive: Any, send: Any) -> None:
    pass


async def _receive() -> Any:
    return {"type": "http.request", "body": b""}
