"""API keys: shown once, good for chatting, and for nothing that concerns the account."""

import httpx
import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id, text_of

pytestmark = pytest.mark.services


@pytest.fixture
def key(ada: User) -> str:
    ada.register()
    created = ada.http.post("/api/keys", json={"name": "laptop"})
    assert created.status_code == 201
    found: str = created.json()["key"]
    return found


@pytest.fixture
def program(gateway: GatewayProcess, key: str) -> httpx.Client:
    client = gateway.visitor()
    client.headers["authorization"] = f"Bearer {key}"
    return client


def test_a_key_is_shown_once(ada: User, key: str) -> None:
    listed = ada.http.get("/api/keys")
    (found,) = listed.json()["keys"]
    assert key not in listed.text
    assert key.startswith(found["prefix"])
    assert len(found["prefix"]) < 20
    assert (found["name"], found["lastUsedAt"]) == ("laptop", None)


def test_a_program_chats_as_its_user(ada: User, program: httpx.Client, chat: str) -> None:
    program.headers["origin"] = "https://anywhere.example"  # no cookie, so nothing to forge
    answer = program.post("/api/chat", json=ada.body("Hello", chat=chat))
    assert answer.status_code == 200, answer.text
    assert text_of(ada.answer(chat)) == "Hello"
    assert program.get("/api/auth/session").json()["user"]["id"] == ada.id
    assert ada.http.get("/api/keys").json()["keys"][0]["lastUsedAt"] is not None


def test_a_deleted_key_is_over_at_once(ada: User, program: httpx.Client) -> None:
    assert program.get("/api/history").status_code == 200
    (found,) = ada.http.get("/api/keys").json()["keys"]
    assert ada.http.delete(f"/api/keys/{found['id']}").json()["id"] == found["id"]
    refused = program.get("/api/history")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized:auth")


@pytest.mark.parametrize("wrong", ["", "raylm_", "raylm_wrong", "sk-other", "\xe9"])
def test_a_wrong_key_is_not_saved_by_a_cookie(ada: User, wrong: str) -> None:
    ada.register()
    header = {"authorization": f"Bearer {wrong}".strip().encode("latin-1")}
    refused = ada.http.get("/api/history", headers=header)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized:auth")
    refused = ada.http.request(
        "DELETE", "/api/history", headers={**header, "origin": "https://evil.example"}
    )
    assert refused.status_code == 401


def test_a_key_does_not_change_its_account(program: httpx.Client) -> None:
    for method, path in (
        ("POST", "/api/keys"),
        ("GET", "/api/keys"),
        ("DELETE", f"/api/keys/{new_id()}"),
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions"),
    ):
        body = {"name": "another"} if method == "POST" else None
        refused = program.request(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")


def test_keys_are_their_owners(ada: User, babbage: User, key: str) -> None:
    babbage.register()
    (found,) = ada.http.get("/api/keys").json()["keys"]
    assert babbage.http.get("/api/keys").json() == {"keys": []}
    assert babbage.http.delete(f"/api/keys/{found['id']}").status_code == 404
    assert len(ada.http.get("/api/keys").json()["keys"]) == 1


def test_a_guest_has_no_keys(ada: User) -> None:
    refused = ada.http.post("/api/keys", json={"name": "guest's"})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")


def test_keys_are_bounded(ada: User, key: str) -> None:
    for number in range(19):
        assert ada.http.post("/api/keys", json={"name": f"{number}"}).status_code == 201
    refused = ada.http.post("/api/keys", json={"name": "one more"})
    assert refused.json()["cause"] == "at most 20 keys; delete one first"
    assert len(ada.http.get("/api/keys").json()["keys"]) == 20
