"""Requests that no client of ours would send: each is refused or harmless, and never an error."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id, text_of

pytestmark = pytest.mark.services

CHAT, DOCUMENT = "attacked-chat", "attacked-document"
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/chat"): {
        "id": CHAT,
        "message": {
            "id": "question-1",
            "role": "user",
            "parts": [{"type": "text", "text": "Hello"}],
        },
        "trigger": "submit-message",
        "messageId": "question-1",
        "selectedChatModel": "mock/echo",
        "selectedVisibilityType": "private",
    },
    ("POST", "/api/chat?as=stock"): {
        "id": CHAT,
        "messages": [
            {"id": "question-1", "role": "user", "parts": [{"type": "text", "text": "Hello"}]}
        ],
        "selectedChatModel": "mock/echo",
    },
    ("PATCH", f"/api/chat/{CHAT}"): {"title": "Title", "visibility": "private"},
    ("POST", f"/api/chat/{CHAT}/stop"): {"messageId": "answer-1"},
    ("POST", f"/api/document?id={DOCUMENT}"): {
        "content": "Content",
        "title": "Title",
        "kind": "text",
        "isManualEdit": True,
        "editedVersion": "2026-01-01T00:00:00Z",
    },
    ("PATCH", "/api/suggestions/suggestion-1"): {"status": "resolved"},
}
WRITES = pytest.mark.parametrize(("method", "url"), BODIES, ids=lambda word: word.split("?")[0])
STRANGE = [None, True, 0, -1, 1e308, 10**30, "", " ", "x" * 300, [], {}, [[]], [None], {"a": {}}]
STRANGE_TEXT = ["a\x00b", "\x00", "\ud800", "x\udfffy", "\u202egnp.exe", "\r\nSet-Cookie: a=b"]
QUERIES = [
    "/api/chat?id={}",
    "/api/messages?chatId={}",
    "/api/history?starting_after={}",
    "/api/history?ending_before={}",
    "/api/history?limit={}",
    "/api/document?id={}",
    f"/api/document?id={DOCUMENT}&timestamp={{}}",
    f"/api/document/diff?id={DOCUMENT}&from={{}}",
    "/api/suggestions?documentId={}",
    "/api/auth/guest?redirectUrl={}",
    f"/api/chat/{CHAT}/stream?offset={{}}",
]
STRANGE_IDS = [
    "%00",
    "%ED%A0%80",
    "%FF%FE",
    "..%2F..%2Fetc%2Fpasswd",
    "a%2Fb%2Fc%2Fd%2Fe",
    "%0D%0ASet-Cookie:%20a=b",
    "%E2%80%AEabcdefgh",
    "'%20or%201=1%20--",
    "9" * 5_000,
    "-1",
    "1e99",
    "",
]


@pytest.fixture(scope="module")
def owner(gateway: GatewayProcess) -> User:
    user = gateway.user()
    user.ask("Hello", chat=CHAT)
    document = {"content": "Content", "title": "Title", "kind": "text"}
    assert user.http.post(f"/api/document?id={DOCUMENT}", json=document).status_code == 200
    return user


@pytest.fixture
def mallory(owner: User) -> Iterator[User]:
    """Whatever was tried, the gateway still answers after it, and at once."""
    yield owner
    began = time.monotonic()
    assert text_of_answer(owner) == "Still there?"
    assert time.monotonic() - began < 5


def text_of_answer(user: User) -> str:
    chat = new_id()
    user.ask("Still there?", chat=chat)
    return text_of(user.answer(chat))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value within a body."""
    if path:
        yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for step, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*path, step))


def replaced(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    body = deepcopy(body)
    inner = body
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return body


def send(user: User, method: str, url: str, content: bytes) -> httpx.Response:
    return user.http.request(
        method, url, content=content, headers={"content-type": "application/json"}
    )


def assert_calm(response: httpx.Response, what: object = "") -> None:
    """Answered or refused, in the shape that clients know; headers are as ever."""
    assert response.status_code < 500, (what, response.text)
    assert "a=b" not in response.headers.get("set-cookie", "")
    if response.status_code >= 400:
        assert set(response.json()) == {"code", "message", "cause"}, what


@WRITES
def test_every_value_of_a_wrong_type(mallory: User, method: str, url: str) -> None:
    for path in places(BODIES[method, url]):
        for value in STRANGE:
            body = replaced(BODIES[method, url], path, value)
            response = send(mallory, method, url, json.dumps(body).encode())
            assert_calm(response, (path, value))


@WRITES
def test_strange_characters_in_every_string(mallory: User, method: str, url: str) -> None:
    for path in places(BODIES[method, url]):
        for text in STRANGE_TEXT:
            body = replaced(BODIES[method, url], path, text)
            response = send(mallory, method, url, json.dumps(body).encode())
            assert_calm(response, (path, text))


@WRITES
@pytest.mark.parametrize("content", [b"null", b"[]", b'"text"', b"17", b"true", b"NaN", b"{}"])
def test_bodies_that_are_no_object(mallory: User, method: str, url: str, content: bytes) -> None:
    assert_calm(send(mallory, method, url, content))


NESTED: dict[str, Callable[[int], bytes]] = {
    "arrays": lambda depth: b"[" * depth + b"]" * depth,
    "unclosed": lambda depth: b"[" * depth,
    "objects": lambda depth: b'{"id":' * depth + b"1" + b"}" * depth,
    "messages": lambda depth: (
        b'{"id": "attacked-chat", "messages": [{"id": "x", "role": "user", "parts": [{"type": '
        + b'{"a":' * depth
        + b"1"
        + b"}" * depth
        + b"}]}]}"
    ),
}


@WRITES
@pytest.mark.parametrize("shape", NESTED)
@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_deep_nesting(mallory: User, method: str, url: str, shape: str, depth: int) -> None:
    assert_calm(send(mallory, method, url, NESTED[shape](depth)))


@WRITES
@pytest.mark.parametrize(
    "content",
    [b"1" * 900_000, b'"' + b"x" * 900_000, b'{"a":1,' * 100_000, b"\xff\xfe\x00", b"{'id': 1}"],
    ids=["digits", "unclosed string", "unclosed objects", "no UTF-8", "no JSON"],
)
def test_large_nonsense(mallory: User, method: str, url: str, content: bytes) -> None:
    began = time.monotonic()
    response = send(mallory, method, url, content)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request:api")
    assert time.monotonic() - began < 5


@WRITES
def test_too_many_bytes(mallory: User, method: str, url: str) -> None:
    response = send(mallory, method, url, b'{"a": "' + b"x" * 1_000_000 + b'"}')
    assert (response.status_code, response.json()["code"]) == (413, "too_large:api")


@pytest.mark.parametrize("field", ["message", "messages"])
def test_ten_thousand_parts(mallory: User, chat: str, field: str) -> None:
    parts = [{"type": "text", "text": "x"}] * 10_000
    question = {"id": "question-1", "role": "user", "parts": parts}
    body = {"id": chat, field: question if field == "message" else [question]}
    began = time.monotonic()
    response = mallory.http.post("/api/chat", json=body)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request:api")
    assert time.monotonic() - began < 5
    assert mallory.messages(chat) == []


def test_ten_thousand_and_one_messages(mallory: User, chat: str) -> None:
    body = {"id": chat, "messages": [{"id": "q", "role": "user"}] * 10_001}
    assert mallory.http.post("/api/chat", json=body).status_code == 400


@pytest.mark.parametrize("query", QUERIES)
def test_strange_ids_in_queries(mallory: User, query: str) -> None:
    for word in STRANGE_IDS:
        for method in ("GET", "DELETE"):
            assert_calm(mallory.http.request(method, query.format(word)), (method, word))


@pytest.mark.parametrize(
    "path", ["/api/chat/{}", "/api/chat/{}/stream", "/api/chat/{}/stop", "/api/suggestions/{}"]
)
def test_strange_ids_in_paths(mallory: User, path: str) -> None:
    for word in STRANGE_IDS:
        for method in ("GET", "POST", "PATCH", "DELETE"):
            body = {"title": "x"} if method == "PATCH" else None
            response = mallory.http.request(method, path.format(word), json=body)
            assert_calm(response, (method, word))
            assert response.status_code >= 400 or "text/html" in response.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    ["/%00", "/assets/%00.js", "/" + "x" * 300, "/" + "a/" * 3_000, "/%2e%2e/%2e%2e/etc/passwd"],
)
def test_files_that_cannot_be(mallory: User, path: str) -> None:
    response = mallory.http.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found:api")


@pytest.mark.parametrize(
    "position",
    ["1-1-1", "-1", "9" * 30 + "-1", "99999999999999999999-0", "٣-٣", "a-b", "1" * 9_000],
)
def test_positions_that_are_none(mallory: User, chat: str, position: str) -> None:
    mallory.ask("Hello", chat=chat)
    headers = {"last-event-id": position.encode()}
    assert_calm(mallory.http.get(f"/api/chat/{chat}/stream", headers=headers))
    assert_calm(mallory.http.get(f"/api/chat/{chat}/stream?offset={quote(position)}"))


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "é.ü", "a" * 6_000, "e30.e30", "null", '"', "%00", "a.b.c"]
)
def test_forged_sessions(mallory: User, token: str) -> None:
    headers = {"cookie": f"raylm_session={token}".encode()}
    nobody = httpx.get(f"{mallory.http.base_url}/api/history", headers=headers)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized:chat")


def test_text_that_looks_like_a_stream(mallory: User, chat: str) -> None:
    text = 'x\n\ndata: {"type":"error","errorText":"no"}\n\nid: 1-1\r\ndata: [DONE]\n\n\u2028\u2029'
    events = mallory.ask(text, chat=chat).content.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    parts = [json.loads(event.split(b"\n")[1].removeprefix(b"data: ")) for event in events[:-2]]
    assert {part["type"] for part in parts}.isdisjoint({"error", "abort"})
    assert text_of(mallory.answer(chat)) == text


def test_text_of_all_directions(mallory: User, chat: str) -> None:
    text = "\u202eevil\u202c \u2066isolate\u2069 \u200f\U0001f469\u200d\U0001f680 e\u0301"
    mallory.ask(text, chat=chat)
    assert text_of(mallory.answer(chat)) == text
    renamed = mallory.http.patch(f"/api/chat/{chat}", json={"title": text}).json()
    assert renamed["title"] == text


REQUEST = "POST /api/chat HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "head",
    [
        REQUEST + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        REQUEST + "Content-Length: 4\r\nContent-Length: 40\r\n\r\n{{}}  ",
        REQUEST + "Content-Length: -4\r\n\r\n{{}}",
        REQUEST + "Content-Length: 4e0\r\n\r\n{{}}",
        REQUEST + "Content-Length : 4\r\n\r\n{{}}  ",
        REQUEST + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        REQUEST + "X: " + "a" * 200_000 + "\r\n\r\n",
        "GET /api/history HTTP/1.1\r\nHost: {host}\r\nX\x00Y: 1\r\n\r\n",
        "GET /api/history\x00 HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "GET http://evil.example/api/auth/guest HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "TRACE /api/history HTTP/1.1\r\nHost: {host}\r\n\r\n",
        "nonsense\r\n\r\n",
    ],
)
def test_requests_between_the_lines(mallory: User, gateway: GatewayProcess, head: str) -> None:
    host = f"127.0.0.1:{gateway.port}"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        connection.sendall(head.format(host=host).encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        except ConnectionResetError:
            answer = b""
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"evil.example" not in answer
