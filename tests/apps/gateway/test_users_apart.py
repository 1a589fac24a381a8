"""One user's data, asked for by another: every route, with every id put where the route takes one.

The requests are made from the router's own description. A route that is not described below, and a
parameter that is not known here, fail: a new route must say what a stranger gets.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from raylm_apps.gateway.main import create_app
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.estate import Estate
from tests.apps.gateway.harness import GatewayProcess, User, new_id, parts_of, text_of

FORBIDDEN, GONE = "forbidden", "not_found"
TAKEN, WRONG, NOT_BEGUN = "conflict", "unauthorized", "bad_request"
NO_MODEL = "model_not_found"
OWN = "own"  # answers, about the stranger alone
NOBODYS = "nobody's"  # answers about no user

# What a stranger gets for a private chat and for what belongs to it.
ROUTES = {
    ("POST", "/api/chat"): FORBIDDEN,
    ("DELETE", "/api/chat"): FORBIDDEN,
    ("GET", "/api/chat/{chat_id}/stream"): FORBIDDEN,
    ("PATCH", "/api/chat/{chat_id}"): FORBIDDEN,
    ("POST", "/api/chat/{chat_id}/stop"): FORBIDDEN,
    ("POST", "/api/chat/{chat_id}/branch"): FORBIDDEN,
    ("GET", "/api/messages"): FORBIDDEN,
    ("DELETE", "/api/messages/{message_id}"): FORBIDDEN,
    ("POST", "/api/messages/{message_id}/truncate"): FORBIDDEN,
    ("GET", "/api/vote"): FORBIDDEN,
    ("PATCH", "/api/vote"): FORBIDDEN,
    ("GET", "/api/history"): OWN,
    ("GET", "/api/history/answering"): OWN,
    ("DELETE", "/api/history"): OWN,
    ("GET", "/api/folders"): OWN,
    ("POST", "/api/folders"): OWN,
    ("PATCH", "/api/folders/{folder_id}"): GONE,
    ("DELETE", "/api/folders/{folder_id}"): GONE,
    ("GET", "/api/teams"): OWN,
    ("POST", "/api/teams"): FORBIDDEN,
    ("DELETE", "/api/teams/{team_id}"): GONE,
    ("GET", "/api/teams/{team_id}/chats"): GONE,
    ("GET", "/api/teams/{team_id}/members"): GONE,
    ("POST", "/api/teams/{team_id}/members"): GONE,
    ("DELETE", "/api/teams/{team_id}/members/{user_id}"): GONE,
    ("GET", "/api/usage"): OWN,
    ("GET", "/api/budgets"): OWN,
    # Of admins alone: routes/test_budgets.py.
    ("GET", "/api/admin/usage"): FORBIDDEN,
    ("GET", "/api/admin/budgets"): FORBIDDEN,
    ("POST", "/api/admin/budgets"): FORBIDDEN,
    ("PATCH", "/api/admin/budgets/{budget_id}"): FORBIDDEN,
    ("DELETE", "/api/admin/budgets/{budget_id}"): FORBIDDEN,
    # Of admins alone: routes/test_runs.py, routes/test_admin_models.py.
    ("GET", "/api/runs"): FORBIDDEN,
    ("GET", "/api/runs/{run_id}"): FORBIDDEN,
    ("GET", "/api/runs/{run_id}/metrics"): FORBIDDEN,
    ("GET", "/api/runs/{run_id}/samples"): FORBIDDEN,
    ("GET", "/api/runs/{run_id}/stream"): FORBIDDEN,
    ("POST", "/api/runs/{run_id}/checkpoints/{checkpoint}/load"): FORBIDDEN,
    ("GET", "/api/admin/models"): FORBIDDEN,
    ("POST", "/api/admin/models"): FORBIDDEN,
    ("DELETE", "/api/admin/models"): FORBIDDEN,
    ("GET", "/api/account/export"): OWN,
    ("DELETE", "/api/account"): OWN,
    ("GET", "/api/auth/session"): OWN,
    ("POST", "/api/auth/guest"): OWN,
    ("GET", "/api/auth/guest"): NOBODYS,
    ("POST", "/api/auth/register"): TAKEN,
    ("POST", "/api/auth/login"): WRONG,
    ("POST", "/api/auth/logout"): OWN,
    ("POST", "/api/auth/password/forgot"): GONE,  # mail is off; with it: routes/test_passwords.py
    ("POST", "/api/auth/password/reset"): NOT_BEGUN,
    # Of accounts alone; another account's: routes/test_accounts.py, routes/test_keys.py.
    ("GET", "/api/auth/sessions"): FORBIDDEN,
    ("DELETE", "/api/auth/sessions"): FORBIDDEN,
    ("DELETE", "/api/auth/sessions/{session_id}"): FORBIDDEN,
    ("POST", "/api/auth/password"): FORBIDDEN,
    ("POST", "/api/auth/verify"): FORBIDDEN,
    ("POST", "/api/auth/verify/mail"): FORBIDDEN,
    ("GET", "/api/keys"): FORBIDDEN,
    ("POST", "/api/keys"): FORBIDDEN,
    ("PATCH", "/api/keys/{key_id}"): FORBIDDEN,
    ("DELETE", "/api/keys/{key_id}"): FORBIDDEN,
    ("GET", "/api/auth/oauth"): NOBODYS,
    ("GET", "/api/auth/oauth/{provider}"): GONE,
    ("GET", "/api/auth/oauth/{provider}/callback"): NOT_BEGUN,
    ("GET", "/api/document"): FORBIDDEN,
    ("POST", "/api/document"): FORBIDDEN,
    ("DELETE", "/api/document"): FORBIDDEN,
    ("GET", "/api/document/diff"): FORBIDDEN,
    ("GET", "/api/suggestions"): FORBIDDEN,
    ("PATCH", "/api/suggestions/{suggestion_id}"): GONE,  # a real one: routes/test_suggestions.py
    ("POST", "/api/files/upload"): OWN,
    ("GET", "/api/files/{file_id}"): GONE,
    ("DELETE", "/api/files/{file_id}"): GONE,
    ("POST", "/v1/messages"): OWN,
    ("POST", "/v1/messages/count_tokens"): OWN,
    ("GET", "/api/models"): NOBODYS,
    ("POST", "/v1/chat/completions"): OWN,
    ("POST", "/v1/completions"): OWN,
    (
        "POST",
        "/v1/embeddings",
    ): NO_MODEL,  # no mock makes vectors; others: routes/test_v1_embeddings.py
    ("GET", "/v1/models"): NOBODYS,
    ("GET", "/v1/models/{model_id}"): NOBODYS,
    ("GET", "/health/live"): NOBODYS,
    ("GET", "/health/ready"): NOBODYS,
}
READ_WHEN_PUBLIC = {("GET", "/api/chat/{chat_id}/stream"), ("GET", "/api/messages")}
# An optional id that makes a stranger's own request one about another's data.
REACHING = {
    ("GET", "/api/history", "starting_after"): GONE,
    ("GET", "/api/history", "ending_before"): GONE,
    ("GET", "/api/history", "folder"): OWN,
    ("GET", "/api/messages", "leaf"): FORBIDDEN,
    ("GET", "/api/messages", "before"): FORBIDDEN,
    ("GET", "/api/teams/{team_id}/chats", "ending_before"): GONE,
}
# Parameters that are no id of anybody's.
PLAIN = {"limit", "q", "archived", "offset", "last-event-id", "redirectUrl", "from", "to"}
PLAIN |= {"after", "points", "metrics", "events"}
PLAIN |= {"link", "state", "code", "format", "by", "after_id", "before_id"}
EVERYBODYS = {"provider": "github", "model_id": "mock/echo"}


@dataclass(frozen=True)
class Case:
    method: str
    route: str
    optional: str | None
    """The optional parameter that is given too."""
    outcome: str

    def send(self, user: User, estate: Estate) -> tuple[int, str, str]:
        """Status, code, body."""
        operation = _document()["paths"][self.route][self.method.lower()]
        url, query = self.route, {}
        for parameter in operation.get("parameters", ()):
            name = parameter["name"]
            if parameter["in"] == "path":
                value = EVERYBODYS.get(name) or estate.id_of(self.route, name)
                url = url.replace(f"{{{name}}}", value)
            elif parameter["in"] == "query" and (
                parameter["required"] or name in (self.optional, "chatId")
            ):
                query[name] = estate.id_of(self.route, name)
        body = estate.body(self.method, self.route)
        is_upload = self.route == "/api/files/upload"
        needs_body = operation.get("requestBody", {}).get("required", False)
        assert body is not None or is_upload or not needs_body, (
            f"no body for {self.method} {self.route}"
        )
        files = {"file": ("mine.txt", b"Mine")} if is_upload else None
        response = user.http.request(self.method, url, params=query, json=body, files=files)
        is_json = response.headers.get("content-type", "").startswith("application/json")
        content = response.json() if is_json and response.content else {}
        code = _code(content) if isinstance(content, dict) else ""
        return response.status_code, code, response.text


def _code(body: dict[str, Any]) -> str:
    error = body.get("error")
    code: str = (error if isinstance(error, dict) else body).get("code", "")
    return code


@cache
def _document() -> dict[str, Any]:
    return create_app(Settings()).openapi()


def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in _document()["paths"].items()
        for method, operation in item.items()
    }


CASES = [Case(*route, None, outcome) for route, outcome in ROUTES.items()]
CASES += [Case(*reach, outcome) for reach, outcome in REACHING.items()]


def test_the_matrix_covers_every_route() -> None:
    assert _operations().keys() == ROUTES.keys()


def test_the_matrix_covers_every_id() -> None:
    reached = {
        (*route, parameter["name"])
        for route, operation in _operations().items()
        for parameter in operation.get("parameters", ())
        if not parameter["required"]
        and parameter["in"] == "query"
        and parameter["name"] != "chatId"
    }
    assert {reach for reach in reached if reach[2] not in PLAIN} == REACHING.keys()


@pytest.mark.services
@pytest.mark.parametrize("visibility", ["private", "members", "public"])
def test_strangers(ada: User, gateway: GatewayProcess, chat: str, visibility: str) -> None:
    """A guest sends every request; nothing of Ada's comes back, and nothing of it changes."""
    estate = Estate.of(ada, chat)
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": visibility})
    before = ada.http.get("/api/account/export").json()
    wrong = []
    for case in CASES:
        stranger = gateway.user()
        status, code, text = case.send(stranger, estate)
        is_read = visibility == "public" and (case.method, case.route) in READ_WHEN_PUBLIC
        if is_read and case.optional != "leaf":
            expected = status in (200, 204)
            leaked = {secret for secret in (estate.email,) if secret in text}
        else:
            expected = (
                code.partition(":")[0] == case.outcome
                if case.outcome not in (OWN, NOBODYS)
                else status < 400
            )
            given = set(estate.ids.values()) | {estate.email}  # what the stranger said themselves
            told = estate.secrets() - given if status >= 400 else estate.secrets()
            leaked = {secret for secret in told if secret in text}
        if not expected or leaked:
            wrong.append((case, status, code, leaked))
    assert wrong == []
    assert ada.http.get("/api/account/export").json() == before


@pytest.mark.services
def test_nobody_is_told_to_sign_in(ada: User, gateway: GatewayProcess, chat: str) -> None:
    estate, nobody = Estate.of(ada, chat), gateway.user()
    nobody.http.cookies.clear()
    open_to_all = {
        ("GET", "/api/messages"),
        ("GET", "/api/files/{file_id}"),
        ("GET", "/api/auth/session"),
        ("POST", "/api/auth/guest"),
        ("POST", "/api/auth/register"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/logout"),
        ("POST", "/api/auth/password/forgot"),
        ("POST", "/api/auth/password/reset"),
        ("GET", "/api/auth/oauth/{provider}"),
        ("GET", "/api/auth/oauth/{provider}/callback"),
    }
    for case in CASES:
        if case.outcome != NOBODYS and (case.method, case.route) not in open_to_all:
            status, code, _ = case.send(nobody, estate)
            expected = "" if case.route.startswith("/v1/messages") else "unauthorized:chat"
            assert (case.route, status, code) == (case.route, 401, expected)


@pytest.mark.services
def test_a_strangers_folder_and_team_take_no_chat(ada: User, babbage: User, chat: str) -> None:
    estate = Estate.of(ada, chat)
    babbage.ask("His", chat=(his := new_id()))
    babbage.register()
    for kind in ("folder", "team"):
        body = {f"{kind}Id": estate.ids[f"{kind}_id"]}
        refused = babbage.http.patch(f"/api/chat/{his}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (404, f"not_found:{kind}")
    own = babbage.http.post("/api/folders", json={"name": "His"}).json()["id"]
    body = {"teamId": estate.ids["team_id"]}
    assert babbage.http.patch(f"/api/folders/{own}", json=body).status_code == 404


@pytest.mark.services
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_nobody_writes_into_anothers_chat(
    ada: User, babbage: User, chat: str, visibility: str
) -> None:
    ada.ask("Mine", chat=chat, message_id="question-1")
    ada.http.patch(f"/api/chat/{chat}", json={"visibility": visibility})
    for trigger in ("submit-message", "regenerate-message"):
        refused = babbage.ask("Mine", chat=chat, message_id="question-1", trigger=trigger)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:chat")
    assert len(ada.messages(chat)) == 2


@pytest.mark.services
def test_a_public_chat_is_read_while_it_is_written(ada: User, babbage: User, chat: str) -> None:
    with ada.asking("For all to see", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        ada.http.patch(f"/api/chat/{chat}", json={"visibility": "public"})
        with babbage.resuming(chat) as reading:
            reading.read_until(b"text-delta")
            ada.http.post(f"/api/chat/{chat}/stop")
            assert parts_of(reading.rest())[-1]["type"] == "abort"
    assert text_of(babbage.messages(chat)[0]) == "For all to see"
