"""The main job on real input: `raylm up`, a real model, real processes killed."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import openai
import orjson
import psutil
import pytest

from tests.end_to_end.conftest import RAYLM, Up

pytestmark = [pytest.mark.ray, pytest.mark.services, pytest.mark.timeout(240)]


@contextmanager
def guest(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.url, timeout=60, headers={"origin": up.url}) as client:
        client.post("/api/auth/guest", json={}).raise_for_status()
        yield client


def body(text: str, model: str, chat: str) -> dict[str, Any]:
    message = {"id": str(uuid4()), "role": "user", "parts": [{"type": "text", "text": text}]}
    return {
        "id": chat,
        "message": message,
        "selectedChatModel": model,
        "selectedVisibilityType": "private",
    }


def parts(lines: list[str]) -> list[dict[str, Any]]:
    data = [line[6:] for line in lines if line.startswith("data: ")]
    return [orjson.loads(text) for text in data if text != "[DONE]"]


def text_of(message: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in message["parts"])


def test_a_real_model_answers_through_the_gateway(up: Up) -> None:
    with guest(up) as client:
        chat = str(uuid4())
        question = body("Name the capital of Italy.", "raylm/smollm2", chat)
        answer = parts(client.post("/api/chat", json=question).raise_for_status().text.splitlines())
        said = "".join(part["delta"] for part in answer if part["type"] == "text-delta")
        assert "Rome" in said
        stored = client.get("/api/messages", params={"chatId": chat}).json()["messages"]
    assert [message["role"] for message in stored] == ["user", "assistant"]
    assert text_of(stored[1]) == said
    assert stored[1]["metadata"]["status"] == "complete"


def test_a_real_model_without_tools_goes_on_in_a_chat_that_has_used_them(up: Up) -> None:
    """SmolLM2's template knows neither tools nor their results: both are left out, and it is said.

    The tool's own failure, where there is no network, is told to the model and changes nothing.
    """
    with guest(up) as client:
        can = client.get("/api/models").json()["capabilities"]
        assert (can["mock/tools"]["tools"], can["raylm/smollm2"]["tools"]) == (True, False)
        chat = str(uuid4())
        for model in ("mock/tools", "raylm/smollm2"):
            question = body("What is the weather in Rome?", model, chat) | {"toolApproval": True}
            answer = client.post("/api/chat", json=question).raise_for_status().text
            told = parts(answer.splitlines())
            assert told[-1]["type"] == "finish"
            assert answer.endswith("data: [DONE]\n\n")
        stored = client.get("/api/messages", params={"chatId": chat}).json()["messages"]
    called, answered = stored[1], stored[3]
    assert [part["type"] for part in called["parts"]].count("tool-getWeather") == 1
    assert not [part for part in told if part["type"].startswith("tool-")]
    assert {part["type"] for part in answered["parts"]} == {"step-start", "text"}
    said = "".join(part["delta"] for part in told if part["type"] == "text-delta")
    assert said
    assert text_of(answered) == said
    assert answered["metadata"]["status"] == "complete"
    assert answered["metadata"]["model"] == "raylm/smollm2"


def test_the_official_openai_client_works(up: Up) -> None:
    client = openai.OpenAI(base_url=f"{up.url}/engine/v1", api_key="none")
    question: Any = [{"role": "user", "content": "Name the capital of Italy."}]
    ask: Any = {"model": "raylm/smollm2", "messages": question, "temperature": 0, "max_tokens": 16}
    whole = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(stream=True, **ask))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Rome" in said
    assert whole.choices[0].message.content == said
    client.close()


def test_a_killed_gateway_loses_no_answer(up: Up) -> None:
    with guest(up) as client:
        chat = str(uuid4())
        said = ""
        with client.stream("POST", "/api/chat", json=body("a " * 300, "mock/slow", chat)) as answer:
            for line in answer.iter_lines():
                for part in parts([line]):
                    said += part.get("delta", "")
                if len(said) > 20:
                    break
            (replica,) = up.family("ServeReplica:gateway")
            replica.kill()
        message = _settled_answer(client, chat)
    assert message["metadata"]["status"] in ("interrupted", "complete")
    assert text_of(message).startswith(said)


def _settled_answer(client: httpx.Client, chat: str) -> dict[str, Any]:
    """The assistant's message once the gateway is back and nobody is writing it any more."""
    deadline = time.monotonic() + 60
    last: Any = None
    while time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            response = client.get("/api/messages", params={"chatId": chat})
        except httpx.TransportError as error:
            last = error
            continue
        last = response.text
        if response.status_code != 200:
            continue
        messages = response.json()["messages"]
        assert len(messages) == 2, "the answer was lost"
        if messages[1]["metadata"]["status"] != "streaming":
            return messages[1]
    raise AssertionError(f"the chat did not settle in 60 s: {last}")


def test_a_killed_engine_is_told_at_once_and_comes_back(up: Up) -> None:
    (replica,) = up.family("ServeReplica:engine")
    with guest(up) as client:
        told: list[dict[str, Any]] = []
        question = body("Tell me a very long story.", "raylm/smollm2", str(uuid4()))
        with client.stream("POST", "/api/chat", json=question) as answer:
            for line in answer.iter_lines():
                told += parts([line])
                if replica.is_running() and any(p["type"] == "text-delta" for p in told):
                    replica.kill()
                    replica.wait(5)
                    killed = time.monotonic()
    assert time.monotonic() - killed < 2
    assert told[-1]["type"] == "error"
    assert "broke off" in told[-1]["errorText"]
    client = openai.OpenAI(base_url=f"{up.url}/engine/v1", api_key="none", max_retries=0)
    deadline = time.monotonic() + 60
    while True:
        try:
            client.models.list(timeout=5)
            break
        except openai.OpenAIError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    client.close()


def test_status_sees_it(up: Up) -> None:
    words = [RAYLM, "status", "--data-dir", up.data_dir, "--json"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    state = orjson.loads(result.stdout.splitlines()[-1])
    assert state["running"] is True
    assert state["url"] == up.url


@pytest.mark.parametrize("clash", ["data folder", "port"])
def test_a_second_up_is_refused(up: Up, clash: str, tmp_path: Any) -> None:
    data_dir = up.data_dir if clash == "data folder" else tmp_path
    port = up.port if clash == "port" else up.port + 1
    words = [RAYLM, "up", "--port", port, "--data-dir", data_dir]
    result = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("raylm:")]
    assert result.returncode == 2
    assert str(up.data_dir if clash == "data folder" else up.port) in line


def test_ctrl_c_stops_everything_and_the_chats_are_there_after_a_restart(up: Up) -> None:
    with guest(up) as client:
        before = client.get("/api/history").json()
        cookies = client.cookies
        chat = str(uuid4())
        client.post("/api/chat", json=body("hello", "mock/echo", chat)).raise_for_status()
    family = up.family()
    assert up.stop() == 130
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [process.cmdline() for process in alive] == []
    up.start()
    with httpx.Client(base_url=up.url, cookies=cookies, timeout=30) as client:
        after = client.get("/api/history").json()
        stored = client.get("/api/messages", params={"chatId": chat}).json()["messages"]
    assert len(after["chats"]) == len(before["chats"]) + 1
    assert "hello" in text_of(stored[1])
