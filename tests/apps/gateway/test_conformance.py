"""The real npm clients, from the strictest to the newest, against the live gateway."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.apps.gateway.harness import GatewayProcess, calls_of, text_of
from tests.apps.gateway.mcp_servers import McpNotes

FOLDER = Path(__file__).parent / "conformance"
CLIENTS = ("ai-5-strict", "ai-5", "ai-6", "ai-7")
CAN_APPROVE = {"ai-6", "ai-7"}

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=CLIENTS)
def outcomes(request: pytest.FixtureRequest, tooled: GatewayProcess) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / request.param).is_dir():
        pytest.skip(f"the npm clients are not installed: npm ci --prefix {FOLDER}")
    done = subprocess.run(
        [node, "client.mjs", request.param, tooled.base_url, tooled.user().cookie],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return {"client": request.param, **json.loads(done.stdout)}


def test_an_answer_arrives_whole(outcomes: dict[str, Any]) -> None:
    sent = outcomes["send"]
    assert (sent["status"], sent["error"]) == ("ready", None)
    question, answer = sent["messages"]
    assert [part["type"] for part in answer["parts"]] == ["step-start", "reasoning", "text"]
    assert text_of(answer) == text_of(question) == "Why is the sky blue?"
    assert answer["metadata"]["status"] == "complete"
    assert answer["metadata"]["usage"]["inputTokens"] == 5
    assert sent["data"] == [
        {"type": "data-chat-title", "data": title, "transient": True}
        for title in ("Why is the sky blue?", "About sky blue?")
    ]


def test_a_chat_goes_on_and_an_answer_is_regenerated(outcomes: dict[str, Any]) -> None:
    chat = outcomes["sendTwiceAndRegenerate"]
    assert chat["status"] == "ready"
    assert [message["role"] for message in chat["messages"]] == ["user", "assistant"] * 2
    assert text_of(chat["messages"][-1]) == "second question"
    assert chat["messages"][-1]["id"] != chat["before"]


def test_two_readers_follow_one_answer_until_it_is_stopped(outcomes: dict[str, Any]) -> None:
    chat = outcomes["resumeThenStop"]
    assert chat["stopped"] == {"success": True}
    assert chat["first"]["status"] == chat["second"]["status"] == "ready"
    assert chat["first"]["messages"][-1] == chat["second"]["messages"][-1]
    assert chat["second"]["messages"][-1]["metadata"]["status"] == "stopped"
    assert text_of(chat["second"]["messages"][-1]).startswith("one ")


def test_stopping_before_the_first_token(outcomes: dict[str, Any]) -> None:
    chat = outcomes["stopBeforeFirstToken"]
    assert chat["stopped"] == {"success": True}
    assert (chat["status"], chat["error"]) == ("ready", None)


def test_resuming_where_nothing_is_written(outcomes: dict[str, Any]) -> None:
    assert outcomes["resumeNothing"] == {
        "status": "ready",
        "error": None,
        "data": [],
        "messages": [],
    }


def test_a_failing_model_shows_its_error(outcomes: dict[str, Any]) -> None:
    assert outcomes["fail"]["status"] == "error"
    assert outcomes["fail"]["error"] == "The model stopped answering. Please try again."


def test_an_answer_that_breaks_off_goes_on_with_another_model(outcomes: dict[str, Any]) -> None:
    chat = outcomes["goOn"]
    assert (chat["status"], chat["error"]) == ("ready", None)
    answer = chat["messages"][-1]
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text", "text"]
    assert answer["parts"][1]["text"] == "one two three four five "
    assert answer["metadata"]["answeredBy"] == "mock/echo"


def test_a_client_that_knows_it_lets_the_step_begin_again(outcomes: dict[str, Any]) -> None:
    chat = outcomes["beginAgain"]
    if outcomes["client"] != "ai-7":
        assert chat is None
        return
    assert (chat["status"], chat["error"]) == ("ready", None)
    answer = chat["messages"][-1]
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text"]
    assert text_of(answer) == "one two three four five six seven"


def test_a_refused_request_shows_its_error(outcomes: dict[str, Any]) -> None:
    assert outcomes["refuse"]["status"] == "error"
    assert json.loads(outcomes["refuse"]["error"])["code"] == "bad_request:api"


def test_tools_are_called_and_answered(outcomes: dict[str, Any]) -> None:
    chat = outcomes["callTools"]
    assert (chat["status"], chat["error"]) == ("ready", None)
    answer = chat["messages"][-1]
    found, unknown, unreadable = calls_of(answer)
    assert (found["state"], found["output"]["cityName"]) == ("output-available", "Paris")
    assert found["input"] == {"city": "Paris"}
    assert (unknown["state"], unreadable["state"]) == ("output-error", "output-error")
    assert "{bad" in (unreadable.get("rawInput"), unreadable.get("input"))  # 7 renamed it
    assert [part["type"] for part in answer["parts"]].count("step-start") == 2
    assert "The current temperature in Paris is 11.5°C." in text_of(answer)


def test_a_stopped_tool_shows_an_error(outcomes: dict[str, Any]) -> None:
    chat = outcomes["stopATool"]
    assert (chat["status"], chat["error"], chat["stopped"]) == ("ready", None, {"success": True})
    assert chat["shown"]["message"] == "waiting"
    (call,) = calls_of(chat["messages"][-1])
    assert (call["state"], call["errorText"]) == ("output-error", "This call was not finished.")


def test_pictures_sources_and_signatures_arrive(outcomes: dict[str, Any]) -> None:
    chat = outcomes["drawAndCite"]
    assert (chat["status"], chat["error"]) == ("ready", None)
    answer = chat["messages"][-1]
    start, thought, said, source, picture = answer["parts"]
    assert (start["type"], said["type"]) == ("step-start", "text")
    assert thought["providerMetadata"].pop("raylm").keys() == {"durationMs"}
    assert thought["providerMetadata"] == {"mock": {"signature": "thought 1"}}
    assert (source["type"], source["url"]) == ("source-url", "https://example.com/dots")
    assert (picture["type"], picture["mediaType"]) == ("file", "image/png")
    assert picture["url"].startswith("/api/files/")
    assert text_of(answer) == "I remember thought 0."


@pytest.mark.parametrize(
    ("case", "state", "said"),
    [("allow", "output-available", "noted"), ("deny", "output-denied", "The user denied")],
)
def test_a_person_decides(
    outcomes: dict[str, Any], notes: McpNotes, case: str, state: str, said: str
) -> None:
    """Version 5 has no approval; what it gets instead is the next test's."""
    chat = outcomes[case]
    if outcomes["client"] not in CAN_APPROVE:
        assert chat is None
        return
    assert calls_of(chat["waiting"]["messages"][1])[0]["state"] == "approval-requested"
    assert (chat["status"], chat["error"]) == ("ready", None)
    answer = chat["messages"][-1]
    assert answer["id"] == chat["waiting"]["messages"][1]["id"]
    assert [call["state"] for call in calls_of(answer)] == [state]
    assert said in text_of(answer)
    assert notes.count(chat["id"]) == (case == "allow")


def test_a_client_without_approval_gets_no_part_that_it_does_not_know(
    outcomes: dict[str, Any], notes: McpNotes
) -> None:
    chat = outcomes["neverAsk"]
    assert (chat["status"], chat["error"]) == ("ready", None)
    assert "There is no tool 'demo_note'" in calls_of(chat["messages"][1])[0]["errorText"]
    assert notes.count("unasked") == 0
