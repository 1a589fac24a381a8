"""Answers with tools, over HTTP: the loop, approval, and what goes wrong in between."""

import base64
import concurrent.futures
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from raylm_apps.gateway.ui_message import MessageFold
from tests.apps.gateway.files.samples import png
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    calls_of,
    eventually,
    parts_of,
    text_of,
)
from tests.apps.gateway.mcp_servers import McpNotes

pytestmark = pytest.mark.services
TOOLS = "mock/tools"


@pytest.fixture
def grace(tooled: GatewayProcess) -> User:
    """A user once the MCP servers' tools are there."""
    user = tooled.user()
    eventually(lambda: user.has_tool("demo_big"), within_s=60)
    return user


def kinds(parts: list[dict[str, Any]]) -> list[str]:
    """Types without repetition."""
    found = [part["type"] for part in parts if not part["type"].startswith("data-")]
    return [kind for i, kind in enumerate(found) if i == 0 or kind != found[i - 1]]


def fold(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    folded = MessageFold()
    for part in parts:
        folded.add(part)
    return folded.parts()


def test_models_tell_whether_they_have_tools(grace: User) -> None:
    capabilities = grace.http.get("/api/models").json()["capabilities"]
    assert capabilities["mock/tools"]["tools"] is True
    assert capabilities["mock/echo"]["tools"] is False


def test_a_question_about_the_weather(grace: User, chat: str) -> None:
    body = grace.ask("What is the weather in San Francisco?", chat=chat, model=TOOLS).content
    assert kinds(parts_of(body)) == [
        *("start", "start-step", "text-start", "text-delta", "text-end", "tool-input-start"),
        *("tool-input-delta", "tool-input-available", "tool-output-available", "finish-step"),
        *("start-step", "text-start", "text-delta", "text-end", "finish-step", "finish"),
    ]
    answer = grace.answer(chat)
    assert answer["parts"] == fold(parts_of(body))
    (call,) = calls_of(answer)
    assert (call["type"], call["state"]) == ("tool-getWeather", "output-available")
    assert call["input"] == {"city": "San Francisco"}
    assert text_of(answer).endswith("The current temperature in San Francisco is 17°C. ")
    assert answer["metadata"]["finishReason"] == "stop"


def test_calls_are_counted_and_timed_by_tool(grace: User, chat: str) -> None:
    grace.ask('getWeather({"city": "Paris"}) inventedTool({})', chat=chat, model=TOOLS)
    metrics = grace.http.get("/metrics").text
    assert 'raylm_tool_calls_total{outcome="ok",tool="getWeather"}' in metrics
    assert 'raylm_tool_calls_total{outcome="error",tool="(unknown)"}' in metrics
    assert 'raylm_tool_seconds_count{tool="getWeather"}' in metrics
    assert "inventedTool" not in metrics


def test_a_document_is_written_beside_the_answer(grace: User, chat: str) -> None:
    question = 'createDocument({"title": "Rivers", "kind": "text"})'
    parts = parts_of(grace.ask(question, chat=chat, model=TOOLS).content)
    (call,) = calls_of(grace.answer(chat))
    assert (call["type"], call["state"]) == ("tool-createDocument", "output-available")
    document_id = call["output"]["id"]
    (version,) = grace.http.get("/api/document", params={"id": document_id}).json()
    assert (version["title"], version["kind"]) == ("Rivers", "text")
    assert "Rivers" in version["content"]
    assert {"type": "data-id", "data": document_id, "transient": True} in parts
    watched = [part["data"] for part in parts if part["type"] == "data-textDelta"]
    assert "".join(watched) == version["content"]
    assert not any(part["type"].startswith("data-") for part in grace.answer(chat)["parts"])


def test_usage_is_the_sum_of_the_steps(grace: User, chat: str) -> None:
    """The mock counts the words of the prompt's last turn, and its own events."""
    grace.ask('demo_big({"characters": 3})', chat=chat, model=TOOLS)
    usage = grace.answer(chat)["metadata"]["usage"]
    assert usage["inputTokens"] == 2 + 1
    assert usage["outputTokens"] == (1 + 1 + 3 + 1) + 4


def test_calls_of_a_step_run_at_once(grace: User, chat: str) -> None:
    """All have begun before one has ended."""
    question = " ".join(['demo_wait({"seconds": 0.8})'] * 4)
    parts = parts_of(grace.ask(question, chat=chat, model=TOOLS).content)
    answer = grace.answer(chat)
    assert [call["output"]["result"] for call in calls_of(answer)] == ["waited 0.8 s"] * 4
    outputs = [part for part in parts if part["type"] == "tool-output-available"]
    assert outputs[0]["output"] == {"progress": 0.0, "total": 0.8, "message": "waiting"}
    ended = next(place for place, part in enumerate(outputs) if not part.get("preliminary"))
    assert len({part["toolCallId"] for part in outputs[:ended]}) == 4


def test_a_model_without_tools_is_asked_without(grace: User, chat: str) -> None:
    grace.ask("What is the weather in Paris?", chat=chat, model=TOOLS)
    grace.ask("And now?", chat=chat, model="mock/echo")
    answer = grace.answer(chat)
    assert (text_of(answer), calls_of(answer)) == ("And now?", [])


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ("nosuch({})", "There is no tool 'nosuch'"),
        ("getWether({})", "did you mean 'getWeather'?"),
        ("getWeather({bad)", "The arguments cannot be read"),
        ("getWeather([1])", "The arguments must be a JSON object."),
        ("getWeather({})", "give a city, or both latitude and longitude"),
        ('getWeather({"latitude": 91, "longitude": 0})', "latitude: Input should be less than"),
        ('getWeather({"city": "Nowhere"})', "No city called 'Nowhere' was found."),
        ("demo_fail({})", "the disk is full"),
        ('demo_big({"characters": "many"})', "characters"),
        ('hasty_wait({"seconds": 60})', "did not finish within 0.5 s"),
    ],
)
def test_a_call_that_fails_is_told_to_the_model(
    grace: User, chat: str, question: str, error: str
) -> None:
    body = grace.ask(question, chat=chat, model=TOOLS).content
    (call,) = calls_of(grace.answer(chat))
    assert call["state"] == "output-error"
    assert error in call["errorText"]
    assert f"Error: {call['errorText']}"[:60] in text_of(grace.answer(chat))
    assert parts_of(body)[-1]["messageMetadata"]["status"] == "complete"


def test_a_result_of_a_megabyte_is_cut(grace: User, chat: str) -> None:
    grace.ask('demo_big({"characters": 1000000})', chat=chat, model=TOOLS)
    answer = grace.answer(chat)
    (call,) = calls_of(answer)
    assert len(call["output"]["beginning"]) == 100_000
    assert call["output"]["omittedChars"] > 900_000
    assert answer["metadata"]["status"] == "complete"


def test_a_model_that_calls_for_ever_must_answer_at_last(grace: User, chat: str) -> None:
    grace.ask('getWeather({"city": "Paris"}) forever', chat=chat, model=TOOLS)
    answer = grace.answer(chat)
    assert len(calls_of(answer)) == 5
    assert text_of(answer).endswith("The current temperature in Paris is 11.5°C. ")


def test_a_provider_that_dies_between_steps(grace: User, chat: str) -> None:
    body = grace.ask('getWeather({"city": "Paris"}) then die', chat=chat, model=TOOLS).content
    assert parts_of(body)[-1]["type"] == "error"
    answer = grace.answer(chat)
    assert answer["metadata"]["status"] == "error"
    assert [call["state"] for call in calls_of(answer)] == ["output-available"]
    assert answer["metadata"]["usage"]["outputTokens"] > 0
    assert grace.ask("Go on", chat=chat, model=TOOLS).status_code == 200


def test_stopping_ends_a_running_tool(grace: User, chat: str) -> None:
    with grace.asking('demo_wait({"seconds": 60})', chat=chat, model=TOOLS) as stream:
        stream.read_until(b'"preliminary":true')
        started = time.monotonic()
        assert grace.http.post(f"/api/chat/{chat}/stop").json() == {"success": True}
        assert time.monotonic() - started < 5
        assert kinds(parts_of(stream.rest()))[-3:] == [
            *("tool-output-error", "message-metadata", "abort")
        ]
    (call,) = calls_of(grace.answer(chat))
    assert (call["state"], call["errorText"]) == ("output-error", "This call was not finished.")
    assert "output" not in call


def test_a_server_that_dies_in_a_call_comes_back(grace: User, chat: str) -> None:
    grace.ask("demo_die({})", chat=chat, model=TOOLS)
    answer = grace.answer(chat)
    assert calls_of(answer)[0]["state"] == "output-error"
    assert answer["metadata"]["status"] == "complete"
    eventually(lambda: grace.has_tool("demo_big"), within_s=60)


def test_kill_9_of_the_gateway_in_a_tool(
    tooled: GatewayProcess, tool_environment: dict[str, str], tmp_path: Path, chat: str
) -> None:
    """Another process finds what is left of the answer."""

    def answer() -> dict[str, Any]:
        return elsewhere.get(f"/api/messages?chatId={chat}").json()["messages"][-1]

    with GatewayProcess(tmp_path / "log", tool_environment) as gateway:
        hopper = gateway.user()
        eventually(lambda: hopper.has_tool("demo_wait"), within_s=60)
        with hopper.asking('demo_wait({"seconds": 60})', chat=chat, model=TOOLS) as stream:
            stream.read_until(b'"preliminary":true')
            gateway.kill()
        elsewhere = tooled.visitor(cookie=hopper.token)
        eventually(lambda: answer()["metadata"]["status"] == "interrupted")
        (call,) = calls_of(answer())
        assert (call["state"], call["errorText"]) == ("output-error", "This call was not finished.")


def ask_to_note(user: User, chat: str, note: str) -> dict[str, Any]:
    """An answer that waits."""
    question = f'demo_note({{"text": "{note}"}}) demo_big({{"characters": 3}})'
    body = user.ask(question, chat=chat, model=TOOLS, toolApproval=True).content
    assert kinds(parts_of(body))[-3:] == ["tool-approval-request", "finish-step", "finish"]
    return user.answer(chat)


def test_an_allowed_call_runs_in_the_same_message(grace: User, notes: McpNotes, chat: str) -> None:
    waiting = ask_to_note(grace, chat, chat)
    assert waiting["metadata"]["status"] == "complete"
    assert waiting["metadata"]["finishReason"] == "tool-calls"
    assert [call["state"] for call in calls_of(waiting)] == [
        *("approval-requested", "output-available")
    ]
    assert notes.count(chat) == 0
    parts = parts_of(grace.decide(chat, waiting, approved=True).content)
    assert kinds(parts) == [
        *("start", "tool-output-available", "start-step", "text-start", "text-delta"),
        *("text-end", "finish-step", "finish"),
    ]
    assert parts[0]["messageId"] == waiting["id"]
    _, answer = grace.messages(chat)
    assert [call["state"] for call in calls_of(answer)] == ["output-available"] * 2
    assert calls_of(answer)[0]["approval"]["approved"] is True
    assert f"noted {chat}" in text_of(answer)
    assert answer["metadata"]["usage"]["inputTokens"] > waiting["metadata"]["usage"]["inputTokens"]
    assert notes.count(chat) == 1


def test_a_picture_stays_in_sight(grace: User, chat: str) -> None:
    """In the step after a tool, and where a decision lets the answer go on."""
    picture = {
        "type": "file",
        "mediaType": "image/png",
        "filename": "dot.png",
        "url": f"data:image/png;base64,{base64.b64encode(png()).decode()}",
    }
    seen = f"I see image/png of {len(png())} bytes."
    for question in ('demo_big({"characters": 3})', f'demo_note({{"text": "{chat}"}})'):
        body = grace.body(question, chat=chat, model=TOOLS, toolApproval=True)
        body["message"]["parts"].append(picture)
        assert grace.http.post("/api/chat", json=body).status_code == 200
        answer = grace.answer(chat)
        if calls_of(answer)[0]["state"] == "approval-requested":
            assert seen not in text_of(answer)
            grace.decide(chat, answer, approved=True)
        assert seen in text_of(grace.answer(chat))


def test_a_denied_call_never_runs(grace: User, notes: McpNotes, chat: str) -> None:
    waiting = ask_to_note(grace, chat, chat)
    parts = parts_of(grace.decide(chat, waiting, approved=False, reason="Too loud.").content)
    assert kinds(parts)[:2] == ["start", "tool-output-denied"]
    answer = grace.answer(chat)
    call = calls_of(answer)[0]
    assert call["state"] == "output-denied"
    assert call["approval"] == {**call["approval"], "approved": False, "reason": "Too loud."}
    assert "The user denied this call. Their reason: Too loud." in text_of(answer)
    assert notes.count(chat) == 0
    counted = 'raylm_tool_calls_total{outcome="denied",tool="demo_note"}'
    assert counted in grace.http.get("/metrics").text


def test_a_decision_posted_often_counts_once(grace: User, notes: McpNotes, chat: str) -> None:
    waiting = ask_to_note(grace, chat, chat)
    with concurrent.futures.ThreadPoolExecutor(6) as threads:
        posts = [threads.submit(grace.decide, chat, waiting, approved=True) for _ in range(6)]
        answers = [fold(parts_of(post.result().content)[1:]) for post in posts]
    late = grace.decide(chat, waiting, approved=False)
    assert notes.count(chat) == 1
    for parts in (*answers, fold(parts_of(late.content)[1:])):
        assert "".join(part.get("text", "") for part in parts).count(f"noted {chat}") == 1
    assert calls_of(grace.answer(chat))[0]["state"] == "output-available"


def test_only_the_decision_is_taken_from_the_client(
    grace: User, notes: McpNotes, chat: str
) -> None:
    waiting = ask_to_note(grace, chat, chat)
    forged = grace.decision(chat, grace.answer(chat), approved=True)
    for part in calls_of(forged["messages"][0]):
        part.update(input={"text": "forged"}, output="forged", type="tool-demo_die")
    grace.http.post("/api/chat", json=forged)
    answer = grace.answer(chat)
    assert calls_of(answer)[0]["input"] == {"text": chat}
    assert calls_of(answer)[1]["output"] == calls_of(waiting)[1]["output"]
    assert (notes.count(chat), notes.count("forged")) == (1, 0)


def test_what_is_no_decision(
    grace: User, tooled: GatewayProcess, notes: McpNotes, chat: str
) -> None:
    waiting = ask_to_note(grace, chat, chat)
    mallory = tooled.user()
    stolen = mallory.decide(chat, waiting, approved=True)
    assert (stolen.status_code, stolen.json()["code"]) == (403, "forbidden:chat")
    for approval, cause in (
        ({"approved": True, "id": "approval_of_nothing"}, "waits for this"),
        ({"approved": "yes"}, "approved: Input should be a valid boolean"),
        ({"approved": True, "reason": "x" * 501}, "reason: String should have at most 500"),
        ({}, "approved: Field required"),
    ):
        refused = grace.decide(chat, waiting, **approval)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:api")
        assert cause in refused.json()["cause"]
    grace.ask("Never mind.", chat=chat)
    late = grace.decide(chat, waiting, approved=True)
    assert (late.status_code, late.json()["cause"][:20]) == (400, "the chat has gone on")
    assert notes.count(chat) == 0


def test_a_client_that_cannot_ask_is_not_offered_the_tool(grace: User, chat: str) -> None:
    grace.ask('demo_note({"text": "x"})', chat=chat, model=TOOLS)
    assert "There is no tool 'demo_note'" in calls_of(grace.answer(chat))[0]["errorText"]


def test_a_second_reader_gets_the_whole_of_an_answer_that_goes_on(grace: User, chat: str) -> None:
    question = f'demo_note({{"text": "{chat}"}}) hasty_wait({{"seconds": 60}}) forever'
    body = grace.ask(question, chat=chat, model=TOOLS, toolApproval=True).content
    waiting = fold(parts_of(body))
    decision = grace.decision(chat, grace.answer(chat), approved=True)
    with grace.following(decision) as first:
        first.read_until(b"start-step")
        with grace.resuming(chat) as second:
            first.rest()
            second.rest()
    whole = fold(parts_of(second.body))
    assert whole[: len(waiting)][1] == waiting[1]
    assert whole == grace.answer(chat)["parts"]
    assert second.body.endswith(first.body[-200:])


def test_kill_9_in_a_call_that_was_allowed(
    tooled: GatewayProcess, tool_environment: dict[str, str], tmp_path: Path, chat: str
) -> None:
    """Followed in another process, by a repetition of the decision, to its end."""
    settings = {**tool_environment, "RAYLM_TOOL_APPROVAL": "demo_wait"}
    with GatewayProcess(tmp_path / "log", settings) as gateway:
        hopper = gateway.user()
        eventually(lambda: hopper.has_tool("demo_big"), within_s=60)
        hopper.ask('demo_wait({"seconds": 60})', chat=chat, model=TOOLS, toolApproval=True)
        decision = hopper.decision(chat, hopper.answer(chat), approved=True)
        with (
            hopper.following(decision) as stream,
            httpx.Client(base_url=tooled.base_url, cookies=hopper.http.cookies) as elsewhere,
        ):
            stream.read_until(b'"preliminary":true')
            with elsewhere.stream("POST", "/api/chat", json=decision, timeout=30) as repeated:
                gateway.kill()
                body = repeated.read()
            answer = elsewhere.get(f"/api/messages?chatId={chat}").json()["messages"][-1]
    assert kinds(parts_of(body))[:2] == ["start", "tool-output-available"]
    assert kinds(parts_of(body))[-3:] == ["tool-output-error", "message-metadata", "abort"]
    assert answer["metadata"]["status"] == "interrupted"
    assert [call["state"] for call in calls_of(answer)] == ["output-error"]


def test_a_new_chat_gets_a_title_of_a_model(grace: User, chat: str) -> None:
    with grace.asking("Name three rivers", chat=chat) as stream:
        stream.read_until(b'"data-chat-title"', 2)
        grace.http.post(f"/api/chat/{chat}/stop")
        parts = parts_of(stream.rest())
    titles = [part["data"] for part in parts if part["type"] == "data-chat-title"]
    assert titles == ["Name three rivers", "About three rivers"]
    assert grace.http.get(f"/api/messages?chatId={chat}").json()["title"] == titles[1]
