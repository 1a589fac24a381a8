"""What no client of ours sends: refused, or taken for what it is, and never an error of ours."""

import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_email, new_id

pytestmark = pytest.mark.services
ODD = ["\\u0000", "\\ud800"]  # as JSON spells them: NUL, and half of a surrogate pair


def post(user: User, path: str, json: str) -> int:
    headers = {"content-type": "application/json"}
    return user.http.post(path, content=json, headers=headers).status_code


@pytest.mark.parametrize("odd", ODD)
def test_text_that_cannot_be_stored(ada: User, chat: str, odd: str) -> None:
    ada.ask("Hello", chat=chat)
    question = (
        f'{{"id": "{new_id()}", "role": "user", "parts": [{{"type": "text", "text": "a{odd}"}}]}}'
    )
    untyped = f'{{"id": "{new_id()}", "role": "user", "parts": [{{"type": "{odd}", "text": "a"}}]}}'
    decision = f'{{"id": "{odd}", "approved": true, "reason": "{odd}"}}'
    part = f'{{"state": "approval-responded", "toolCallId": "{odd}", "approval": {decision}}}'
    answer = f'{{"id": "{odd}", "role": "assistant", "parts": [{part}]}}'
    for fields, status in {
        f'"message": {question}': 200,
        f'"message": {question}, "messageId": "{odd}", "trigger": "regenerate-message"': 200,
        f'"message": {question}, "selectedChatModel": "{odd}"': 400,
        f'"message": {untyped}': 400,
        f'"messages": [{answer}]': 400,
    }.items():
        assert post(ada, "/api/chat", f'{{"id": "{chat}", {fields}}}') == status, fields
    assert post(ada, f"/api/chat/{chat}/stop", f'{{"messageId": "{odd}"}}') == 200


@pytest.mark.parametrize("odd", ODD)
def test_any_password_is_one(gateway: GatewayProcess, odd: str) -> None:
    email = new_email()
    body = f'{{"email": "{email}", "password": "eight or more{odd}"}}'
    assert post(gateway.user(), "/api/auth/register", body) == 200
    assert post(gateway.user(), "/api/auth/login", body) == 200
    assert post(gateway.user(), "/api/auth/login", body.replace(odd, "\\ud801")) == 401


@pytest.mark.parametrize(
    "cookie",
    [
        b"raylm_session=",
        b"raylm_session=.",
        b"raylm_session=a.b.c",
        b"raylm_session=\xff.\xff",
        b"raylm_session=%00",
        b'raylm_session="\\000\\377"',
        b"raylm_session=" + b"a" * 5_000,
        b"=;;==;raylm_session",
    ],
)
def test_odd_cookies_are_nobodys(gateway: GatewayProcess, cookie: bytes) -> None:
    read = gateway.visitor().get("/api/history", headers={"cookie": cookie})
    assert (read.status_code, read.json()["code"]) == (401, "unauthorized:chat")


@pytest.mark.parametrize("origin", [b"http://[::1", b"\xff", b"http://", b"://"])
def test_odd_origins_are_other_sites(ada: User, origin: bytes) -> None:
    refused = ada.http.post("/api/folders", json={"name": "a"}, headers={"origin": origin})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:api")


@pytest.mark.parametrize("number", [2**63, 10**30, -1])
def test_positions_beyond_every_stream(ada: User, chat: str, number: int) -> None:
    ada.ask("Hello", chat=chat)
    for query, headers in (
        (f"?offset={number}", {}),
        ("", {"last-event-id": f"{number}-{number}"}),
    ):
        answer = ada.http.get(f"/api/chat/{chat}/stream{query}", headers=headers)
        assert answer.status_code == 400
