"""Budgets over HTTP: set by admins and keys' owners, kept to by chats, told to those they bind."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.apps.gateway.harness import GatewayProcess, User, new_id, text_of

pytestmark = pytest.mark.services


@pytest.fixture
def chief(gateway: GatewayProcess, execute: Callable[..., None]) -> Iterator[User]:
    """An admin; what they have set is gone afterwards, for it is for all tests."""
    chief = gateway.user()
    email = chief.register()
    execute("update users set role = 'admin' where id = $1", chief.id)
    chief.log_in(email)
    yield chief
    for budget in chief.http.get("/api/admin/budgets").json()["budgets"]:
        chief.http.delete(f"/api/admin/budgets/{budget['id']}")


def set_budget(chief: User, **budget: Any) -> dict[str, Any]:
    answer = chief.http.post("/api/admin/budgets", json=budget)
    assert answer.status_code == 201, answer.text
    added: dict[str, Any] = answer.json()
    return added


def of_user(chief: User, user: User, **limits: Any) -> dict[str, Any]:
    return set_budget(chief, subject="user", subjectId=user.id, period="day", **limits)


def test_a_chat_over_its_budget_is_refused_and_leaves_nothing(
    chief: User, ada: User, babbage: User, chat: str
) -> None:
    ada.ask("Before there was a budget", chat=chat)
    of_user(chief, ada, requests=3)
    for number in range(2):
        assert ada.ask(f"Question {number}", chat=chat).status_code == 200
    refused = ada.ask("One more", chat=chat, message_id="one-more")
    error = refused.json()
    assert (refused.status_code, error["code"]) == (429, "rate_limit:budget")
    assert "today's budget of your account: 0 requests of 3 requests left" in error["cause"]
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
    assert len(ada.messages(chat)) == 6
    assert (
        ada.ask("Question 1", chat=chat, message_id=ada.messages(chat)[4]["id"]).status_code == 200
    )
    assert babbage.ask("Mine", chat=new_id()).status_code == 200


def test_of_many_at_once_as_many_pass_as_there_is_room_for(chief: User, ada: User) -> None:
    ada.ask("A row in the database", chat=new_id())
    of_user(chief, ada, requests=6)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda _: ada.ask("Hi", chat=new_id()).status_code, range(16)))
    assert asked.count(200) == 5
    assert set(asked) == {200, 429}


def test_what_applies_to_me_and_what_is_left(chief: User, ada: User, chat: str) -> None:
    assert ada.http.get("/api/budgets").json() == {"budgets": []}
    ada.ask("two words", chat=chat)
    of_user(chief, ada, tokens=10_000, micros=500, model="mock/echo")
    ada.ask("two words", chat=chat)
    (mine,) = ada.http.get("/api/budgets").json()["budgets"]
    used = sum(
        message["metadata"].get("usage", {}).get(kind, 0)
        for message in ada.messages(chat)
        for kind in ("inputTokens", "outputTokens")
    )
    assert mine["used"] == {"requests": 2, "tokens": used, "micros": 0}
    assert mine["left"] == {"requests": None, "tokens": 10_000 - used, "micros": 500}
    now = datetime.now(UTC).isoformat()
    assert mine["startsAt"] < now < mine["endsAt"]


def test_a_stopped_answer_has_cost_what_came(chief: User, ada: User, chat: str) -> None:
    ada.ask("Hi", chat=new_id())
    of_user(chief, ada, tokens=100_000)
    with ada.asking("Go on", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta", count=3)
        (writing,) = ada.http.get("/api/budgets").json()["budgets"]
        ada.http.post(f"/api/chat/{chat}/stop")
        stream.rest()
    (ended,) = ada.http.get("/api/budgets").json()["budgets"]
    assert ended["used"]["requests"] == writing["used"]["requests"] == 2
    assert 2 < ended["used"]["tokens"] < 100 < 4_000 < writing["used"]["tokens"]


def test_a_team_shares_one_budget(chief: User, ada: User, babbage: User, chat: str) -> None:
    ada.register()
    email = babbage.register()
    team = ada.http.post("/api/teams", json={"name": "Engines"}).json()["id"]
    ada.http.post(f"/api/teams/{team}/members", json={"email": email})
    set_budget(chief, subject="team", subjectId=team, period="total", requests=3)
    asked = [user.ask("Hi", chat=new_id()).status_code for user in (ada, babbage, ada, babbage)]
    assert asked == [200, 200, 200, 429]
    (row,) = ada.http.get("/api/usage?by=team").json()["usage"]
    assert (row["teamId"], row["requests"], row["day"], row["model"]) == (team, 2, None, None)


def test_a_key_has_a_budget_of_its_owners_making(gateway: GatewayProcess, ada: User) -> None:
    ada.register()
    key = ada.http.post("/api/keys", json={"name": "laptop"}).json()
    budget = {"period": "day", "model": None, "requests": 1, "tokens": None, "micros": None}
    changed = ada.http.patch(f"/api/keys/{key['id']}", json={"budget": budget})
    assert changed.json()["budget"] == budget
    assert ada.http.get("/api/keys").json()["keys"][0]["budget"] == budget
    program = gateway.visitor()
    program.headers["authorization"] = f"Bearer {key['key']}"
    asked = [ask(program, ada).status_code for _ in range(2)]
    assert asked == [200, 429]
    assert "of this API key" in ask(program, ada).json()["cause"]
    assert ada.ask("By hand", chat=new_id()).status_code == 200
    rows = ada.http.get("/api/usage?by=key").json()["usage"]
    assert {(row["keyId"], row["requests"]) for row in rows} == {(key["id"], 1), (None, 1)}
    ada.http.patch(f"/api/keys/{key['id']}", json={"budget": {"tokens": 10**6}})
    assert ask(program, ada).status_code == 200
    assert ada.http.patch(f"/api/keys/{key['id']}", json={"budget": None}).json()["budget"] is None
    assert program.get("/api/budgets").json() == {"budgets": []}


def ask(program: httpx.Client, user: User) -> httpx.Response:
    return program.post("/api/chat", json=user.body("Hello", chat=new_id()))


def test_keys_are_their_owners(chief: User, ada: User, babbage: User) -> None:
    for user in (ada, babbage):
        user.register()
    key = ada.http.post("/api/keys", json={"name": "laptop"}).json()["id"]
    set_budget(chief, subject="key", subjectId=key, requests=5)
    for budget in (None, {"requests": 0}):
        refused = babbage.http.patch(f"/api/keys/{key}", json={"budget": budget})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found:auth")
    ada.http.patch(f"/api/keys/{key}", json={"budget": {"requests": 9}})
    ada.http.patch(f"/api/keys/{key}", json={"budget": None})
    (kept,) = chief.http.get("/api/admin/budgets").json()["budgets"]  # the admin's stays
    assert (kept["requests"], kept["isOwn"]) == (5, False)
    ada.http.delete(f"/api/keys/{key}")
    assert chief.http.get("/api/admin/budgets").json() == {"budgets": []}


def test_two_admins_edit(chief: User, ada: User) -> None:
    ada.ask("Hi", chat=new_id())
    budget = of_user(chief, ada, requests=3)
    again = {"subject": "user", "subjectId": ada.id, "period": "day", "tokens": 1}
    refused = chief.http.post("/api/admin/budgets", json=again)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict:budget")
    url = f"/api/admin/budgets/{budget['id']}"
    with ThreadPoolExecutor(8) as pool:
        patches = [{"version": budget["version"], "tokens": number} for number in range(8)]
        answers = list(pool.map(lambda patch: chief.http.patch(url, json=patch), patches))
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 409}
    assert (won["version"], won["requests"]) == (2, 3)
    assert chief.http.get("/api/admin/budgets").json()["budgets"] == [won]
    lifted = chief.http.patch(url, json={"requests": None})
    assert (lifted.json()["requests"], lifted.json()["tokens"]) == (None, won["tokens"])
    assert chief.http.patch(url, json={"tokens": None}).status_code == 400
    assert chief.http.delete(url).json()["id"] == budget["id"]
    for method in ("DELETE", "PATCH"):
        gone = chief.http.request(method, url, json={} if method == "PATCH" else None)
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found:budget")


@pytest.mark.parametrize(
    ("budget", "status"),
    [
        ({"subject": "user", "requests": 1}, 400),
        ({"subject": "everyone", "subjectId": "somebody-1", "requests": 1}, 400),
        ({"subject": "everyone"}, 400),
        ({"subject": "everyone", "requests": -1}, 400),
        ({"subject": "everyone", "period": "week", "requests": 1}, 400),
        ({"subject": "user", "subjectId": "nobody-here", "requests": 1}, 404),
        ({"subject": "team", "subjectId": "nobody-here", "requests": 1}, 404),
    ],
)
def test_budgets_that_cannot_be(chief: User, budget: dict[str, Any], status: int) -> None:
    assert chief.http.post("/api/admin/budgets", json=budget).status_code == status
    assert chief.http.get("/api/admin/budgets").json() == {"budgets": []}


def test_others_are_no_admins(ada: User) -> None:
    ada.register()
    for method, path, body in (
        ("GET", "/api/admin/budgets", None),
        ("POST", "/api/admin/budgets", {"subject": "everyone", "requests": 1}),
        ("PATCH", f"/api/admin/budgets/{new_id()}", {"requests": 1}),
        ("DELETE", f"/api/admin/budgets/{new_id()}", None),
        ("GET", "/api/admin/usage", None),
    ):
        refused = ada.http.request(method, path, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden:auth")


def test_the_report_of_all(chief: User, ada: User, babbage: User) -> None:
    for user in (ada, ada, babbage):
        user.ask("two words", chat=new_id())
    query = "/api/admin/usage?by=user,model"
    rows = {row["userId"]: row for row in chief.http.get(query).json()["usage"]}
    assert [rows[user.id]["requests"] for user in (ada, babbage)] == [2, 1]
    assert (rows[ada.id]["model"], rows[ada.id]["day"]) == ("mock/echo", None)
    assert chief.http.get("/api/admin/usage?to=2020-01-01").json() == {"usage": []}
    assert chief.http.get("/api/admin/usage?by=user,colour").status_code == 400
    babbage.http.request("DELETE", "/api/account")
    rows = {row["userId"]: row for row in chief.http.get(query).json()["usage"]}
    assert babbage.id not in rows
    assert rows[None]["requests"] >= 1  # as nobody's, it is still spent


def test_a_guest_who_becomes_an_account_keeps_its_spending(
    chief: User, ada: User, chat: str
) -> None:
    for _ in range(2):
        ada.ask("Hi", chat=chat)
    ada.register()
    of_user(chief, ada, requests=3)
    assert [ada.ask("Hi", chat=chat).status_code for _ in range(2)] == [200, 429]


def test_what_tools_write_is_counted(tooled: GatewayProcess) -> None:
    """A document is written by a second call of the model."""
    user, chat = tooled.user(), new_id()
    user.ask('createDocument({"title": "Rivers", "kind": "text"})', chat=chat, model="mock/tools")
    told = user.answer(chat)["metadata"]["usage"]
    rows = {row["model"]: row for row in user.http.get("/api/usage?by=model").json()["usage"]}
    assert rows["mock/tools"]["requests"] == 1
    assert rows["mock/tools"]["outputTokens"] > told["outputTokens"]


def test_a_title_is_counted_but_is_no_request(tooled: GatewayProcess) -> None:
    user, chat = tooled.user(), new_id()
    user.ask("Name two rivers of Europe", chat=chat)
    rows = {row["model"]: row for row in user.http.get("/api/usage?by=model").json()["usage"]}
    assert text_of(user.answer(chat)) == "Name two rivers of Europe"
    assert (rows["mock/echo"]["requests"], rows["mock/title"]["requests"]) == (1, 0)
    assert rows["mock/title"]["outputTokens"] > 0


def test_refusals_and_spending_are_on_the_metrics(chief: User, ada: User) -> None:
    ada.ask("Hi", chat=new_id())
    of_user(chief, ada, requests=0)
    assert ada.ask("Hi", chat=new_id()).status_code == 429
    metrics = ada.http.get("/metrics").text
    assert 'raylm_budget_refusals_total{kind="requests"}' in metrics
    assert 'raylm_used_tokens_total{kind="output",model="mock/echo"}' in metrics
    assert 'raylm_spent_micros_total{model="mock/echo"}' in metrics
    assert ada.id not in metrics
