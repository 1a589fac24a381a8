import pytest

from tests.apps.gateway.harness import User

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/chat", "DELETE, POST"),
        ("HEAD", "/api/chat", "DELETE, POST"),
        ("PUT", "/api/history", "DELETE, GET, HEAD"),
        ("POST", "/api/auth/sessions/abcdefgh", "DELETE"),
        ("DELETE", "/api/auth/guest", "GET, HEAD, POST"),
        ("OPTIONS", "/api/files/upload", "POST"),
        ("TRACE", "/health/live", "GET, HEAD"),
        ("OPTIONS", "/api/folders", "GET, HEAD, POST"),
        ("POST", "/docs", "GET, HEAD"),
        ("PATCH", "/chat/abc", "GET, HEAD"),
        ("PUT", "/assets/app.js", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(
    ada: User, method: str, path: str, allow: str
) -> None:
    refused = ada.http.request(method, path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allow)
    if method != "HEAD":
        assert refused.json()["code"] == "method_not_allowed:api"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/api/nowhere", "/api/history/", "/api/chat/a/b/c"])
def test_an_unknown_address_has_no_method(ada: User, method: str, path: str) -> None:
    missing = ada.http.request(method, path)
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found:api")
    assert "allow" not in missing.headers


def test_an_unknown_address_of_programs_says_so_in_their_format(ada: User) -> None:
    for path in ("/v1/nowhere", "/v1/messages/nowhere"):
        missing = ada.http.get(path)
        error = missing.json()["error"]
        assert missing.status_code == 404
        assert "nothing at this address" in error["message"]


@pytest.mark.parametrize("path", ["/", "/docs", "/favicon.svg", "/api/history", "/api/nowhere"])
def test_head_is_get_without_the_body(ada: User, path: str) -> None:
    head, get = ada.http.head(path), ada.http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    varying = {"date", "x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in get.headers.items() if name not in varying
    }


def test_head_of_a_stream_ends_at_once(ada: User, chat: str) -> None:
    with ada.asking("Slowly", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        head = ada.http.head(f"/api/chat/{chat}/stream", timeout=5)
        assert (head.status_code, head.headers["content-type"][:17]) == (200, "text/event-stream")
        again = ada.http.get("/api/history", timeout=5)  # on the same connection
        assert again.json()["chats"][0]["id"] == chat
        assert b"[DONE]" not in stream.body
        ada.http.post(f"/api/chat/{chat}/stop")
    assert ada.answer(chat)["metadata"]["status"] == "stopped"
