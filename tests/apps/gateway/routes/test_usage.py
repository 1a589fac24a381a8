from datetime import UTC, datetime

import pytest

from tests.apps.gateway.harness import User, new_id

pytestmark = pytest.mark.services


def test_answers_are_counted_by_day_and_model(ada: User, chat: str) -> None:
    assert ada.http.get("/api/usage").json() == {"usage": []}
    before = datetime.now(UTC).date().isoformat()
    for number in range(3):
        ada.ask(f"Question {number}", chat=chat)
    ada.ask("A thought", chat=new_id(), model="mock/reasoning")
    told = [
        message["metadata"]["usage"]
        for message in ada.messages(chat)
        if "usage" in message["metadata"]
    ]
    ada.http.delete(f"/api/chat?id={chat}")
    by_model = {row["model"]: row for row in ada.http.get("/api/usage").json()["usage"]}
    assert set(by_model) == {"mock/echo", "mock/reasoning"}
    echo = by_model["mock/echo"]
    assert echo["requests"] == len(told) == 3
    assert echo["inputTokens"] == sum(usage["inputTokens"] for usage in told)
    assert echo["outputTokens"] == sum(usage["outputTokens"] for usage in told) > 0
    assert before <= echo["day"] <= datetime.now(UTC).date().isoformat()


def test_a_stopped_answer_is_a_request(ada: User, chat: str) -> None:
    with ada.asking("Go on", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        ada.http.post(f"/api/chat/{chat}/stop")
    (row,) = ada.http.get("/api/usage").json()["usage"]
    assert (row["model"], row["requests"]) == ("mock/slow", 1)
    assert 0 < row["outputTokens"] < 100  # by the length of what came


def test_days_that_are_asked_for(ada: User, chat: str) -> None:
    ada.ask("Hi", chat=chat)
    assert ada.http.get("/api/usage?from=2020-01-01&to=2020-12-31").json() == {"usage": []}
    assert len(ada.http.get("/api/usage?from=2020-01-01").json()["usage"]) == 1
    assert ada.http.get("/api/usage?to=0001-01-01").json() == {"usage": []}
    assert ada.http.get("/api/usage?from=yesterday").status_code == 400
