"""Accounts over HTTP: in, out, what a guest brings along, and who must not get in."""

import re

import httpx
import pytest

from tests.apps.gateway.harness import PASSWORD, GatewayProcess, User, new_email, new_id, text_of

pytestmark = pytest.mark.services


def test_an_account_is_registered_and_signed_in(ada: User) -> None:
    body = {"email": " Ada@Example.COM".replace("Ada", new_id()), "password": PASSWORD, "name": "A"}
    answer = ada.http.post("/api/auth/register", json=body)
    user = answer.json()["user"]
    assert (answer.status_code, user["type"], user["name"]) == (200, "regular", "A")
    assert user["email"] == body["email"].strip().lower()
    assert ada.http.get("/api/auth/session").json()["user"] == user
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]


def test_a_guests_chats_become_the_accounts(ada: User, gateway: GatewayProcess) -> None:
    chats = [new_id() for _ in range(3)]
    for chat in chats:
        ada.ask("Mine", chat=chat)
    guest_id, guest_token = ada.id, ada.token
    ada.register()
    assert ada.id != guest_id
    assert {c["id"] for c in ada.http.get("/api/history").json()["chats"]} == set(chats)
    assert text_of(ada.answer(chats[0])) == "Mine"
    left = gateway.visitor(cookie=guest_token)
    assert left.get("/api/history").json()["chats"] == []
    assert left.get(f"/api/messages?chatId={chats[0]}").status_code == 403


def test_a_guest_brings_chats_to_an_account_that_exists(ada: User, babbage: User) -> None:
    email, first, second = ada.register(), new_id(), new_id()
    ada.ask("first", chat=first)
    babbage.ask("second", chat=second)
    assert babbage.log_in(email).status_code == 200
    assert {c["id"] for c in babbage.http.get("/api/history").json()["chats"]} == {first, second}


def test_a_closed_guest_stores_nothing_more(ada: User, chat: str, gateway: GatewayProcess) -> None:
    token = ada.token
    ada.register()
    left = gateway.visitor(cookie=token)
    refused = left.post("/api/chat", json=ada.body("late", chat=chat))
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized:chat")
    assert ada.http.get("/api/history").json()["chats"] == []


def test_an_answer_under_way_moves_with_its_chat(ada: User, chat: str) -> None:
    with ada.asking("wait", chat=chat, model="mock/silent") as stream:
        stream.read_until(b"start")
        ada.register()
        assert ada.http.post(f"/api/chat/{chat}/stop").json() == {"success": True}
        stream.rest()
    assert ada.answer(chat)["metadata"]["status"] == "stopped"


def test_logging_in_again(ada: User, babbage: User) -> None:
    email = ada.register()
    assert ada.http.post("/api/auth/logout").json() == {"success": True}
    assert ada.kind is None
    assert babbage.log_in(email.upper()).json()["user"]["id"] == ada.id
    assert babbage.kind == "regular"


@pytest.mark.parametrize("wrong", ["password", "address"])
def test_what_is_wrong_is_not_told(ada: User, babbage: User, wrong: str) -> None:
    email = ada.register()
    tried = (
        babbage.log_in(email, "wrong password")
        if wrong == "password"
        else babbage.log_in(new_email())
    )
    assert tried.status_code == 401
    assert tried.json() == {
        "code": "unauthorized:auth",
        "message": "E-mail, password or key is wrong, or the session has ended.",
        "cause": None,
    }
    assert babbage.kind == "guest"


def test_an_address_has_one_account(ada: User, babbage: User) -> None:
    body = {"email": ada.register().upper(), "password": PASSWORD}
    refused = babbage.http.post("/api/auth/register", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict:auth")
    assert babbage.kind == "guest"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"email": "not an address"}, "email"),
        ({"email": "a@b@example.com"}, "email"),
        ({"email": "ada@example.com\r\nBcc: x@example.com"}, "email"),
        ({"email": "x" * 300 + "@example.com"}, "email"),
        ({"password": "1234567"}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_bad_input_is_named(ada: User, change: dict[str, str], cause: str) -> None:
    body = {"email": new_email(), "password": PASSWORD, **change}
    refused = ada.http.post("/api/auth/register", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:api")
    assert refused.json()["cause"].startswith(f"{cause}: ")
    assert change.get("password", "no secret") not in refused.text


def test_a_guest_request_does_not_replace_a_real_session(ada: User) -> None:
    ada.register()
    token = ada.token
    ada.http.post("/api/auth/guest")
    assert ada.http.get("/api/auth/guest?redirectUrl=/").headers["location"] == "/"
    assert (ada.token, ada.kind) == (token, "regular")


def test_every_way_in_makes_a_new_session(ada: User, gateway: GatewayProcess) -> None:
    """Fixation: what an attacker has planted in the browser is worth nothing afterwards."""
    planted = [ada.token]
    email = ada.register()
    planted.append(ada.token)
    ada.log_in(email)
    assert ada.token not in planted
    as_guest, as_account = (gateway.visitor(cookie=token) for token in planted)
    assert as_account.get("/api/auth/session").json()["user"] is None
    assert as_guest.get("/api/auth/session").json()["user"]["id"] != ada.id
    for invented in ("planted", "planted.planted", "a" * 43):
        thief = gateway.visitor(cookie=invented)
        thief.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        assert gateway.visitor(cookie=invented).get("/api/auth/session").json()["user"] is None


def test_a_session_that_ended_is_over_at_once(ada: User, gateway: GatewayProcess) -> None:
    ada.register()
    stolen = gateway.visitor(cookie=ada.token)
    assert stolen.get("/api/history").status_code == 200
    ada.http.post("/api/auth/logout")
    assert stolen.get("/api/history").status_code == 401


def test_sessions_are_listed_and_ended(ada: User, babbage: User, gateway: GatewayProcess) -> None:
    email = ada.register()
    babbage.http.headers["user-agent"] = "Babbage's engine"
    babbage.log_in(email)
    listed = ada.http.get("/api/auth/sessions").json()["sessions"]
    assert [session["isCurrent"] for session in listed] == [False, True]
    assert listed[0]["userAgent"] == "Babbage's engine"
    assert ada.token not in str(listed)
    ended = ada.http.delete(f"/api/auth/sessions/{listed[0]['id']}")
    assert ended.json() == {"success": True}
    assert (babbage.kind, ada.kind) == (None, "regular")


def test_logging_out_everywhere(ada: User, babbage: User) -> None:
    babbage.log_in(ada.register())
    assert babbage.http.delete("/api/auth/sessions").json() == {"deletedCount": 2}
    assert (ada.kind, babbage.kind) == (None, None)


def test_anothers_session_cannot_be_ended(ada: User, babbage: User) -> None:
    ada.register()
    babbage.register()
    (session,) = ada.http.get("/api/auth/sessions").json()["sessions"]
    refused = babbage.http.delete(f"/api/auth/sessions/{session['id']}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found:auth")
    assert ada.kind == "regular"


def test_guests_have_no_sessions_to_manage(ada: User) -> None:
    for method in ("GET", "DELETE"):
        refused = ada.http.request(method, "/api/auth/sessions")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://sub.127.0.0.1"},
    ],
)
def test_other_sites_use_no_session(ada: User, headers: dict[str, str]) -> None:
    ada.register()
    for method, path in (
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/login"),
        ("DELETE", "/api/auth/sessions"),
        ("POST", "/api/keys"),
    ):
        refused = ada.http.request(method, path, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:api")
    assert ada.kind == "regular"


@pytest.mark.parametrize(
    "target", ["/\r\nset-cookie: raylm_session=planted", "/%0d%0aset-cookie:%20a=b", "/\u2028x"]
)
def test_no_header_comes_from_a_redirect(gateway: GatewayProcess, target: str) -> None:
    answer = httpx.get(f"{gateway.base_url}/api/auth/guest", params={"redirectUrl": target})
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert answer.headers.get_list("set-cookie")[0].startswith("raylm_session=ey")
    assert re.fullmatch(r"/[\w%.:=-]*", answer.headers["location"])


def test_no_secret_is_logged(ada: User, gateway: GatewayProcess) -> None:
    password = f"secret-{new_id()}"
    email = ada.register(password=password)
    ada.log_in(email, f"wrong-{password}")
    ada.http.post("/api/auth/register", json={"email": email, "password": password})
    ada.http.post("/api/auth/register", json={"email": "wrong", "password": password})
    key = ada.http.post("/api/keys", json={"name": "mine"}).json()["key"]
    ada.http.get("/api/models", headers={"authorization": f"Bearer {key}x"})
    assert "/api/auth/register" in gateway.said
    for secret in (password, key, ada.token):
        assert secret not in gateway.said


def test_a_gateway_without_mail_says_so(ada: User, gateway: GatewayProcess) -> None:
    refused = ada.http.post("/api/auth/password/forgot", json={"email": ada.register()})
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found:mail")
    assert "SMTP" not in refused.text
    assert "set RAYLM_SMTP_URL" in gateway.said
    assert ada.http.get("/api/auth/oauth").json()["mail"] is False
