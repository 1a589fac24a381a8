"""RAYLM_PROVIDERS in a running gateway: who sees what, how answers go on, how it is read again."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from raylm.core.errors import ConfigError
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.main import create_app
from raylm_apps.gateway.settings import Settings
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    calls_of,
    environment,
    eventually,
    new_id,
    parts_of,
    text_of,
)

pytestmark = pytest.mark.services


class Broken(ThreadingHTTPServer):
    """An OpenAI-compatible server whose answers break off: `m` in a text, `caller` in a call."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        model = json.loads(self.rfile.read(int(self.headers["content-length"])))["model"]
        self.send_response(200)
        self.end_headers()
        for word in ("Half ", "an "):
            self._write({"content": word})
        if model == "caller":
            call = {"index": 0, "id": "1", "function": {"name": "getWeather", "arguments": "{"}}
            self._write({"tool_calls": [call]})

    def _write(self, delta: dict[str, Any]) -> None:
        chunk = {"choices": [{"index": 0, "delta": delta}]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *line: object) -> None: ...


@dataclass
class World:
    gateway: GatewayProcess
    path: Path
    tree: dict[str, Any] = field(default_factory=dict)

    def write(self, **tree: Any) -> None:
        self.tree |= tree
        self.path.write_text(yaml.safe_dump(self.tree, sort_keys=False))

    def models(self, user: User) -> list[str]:
        return [model["id"] for model in user.http.get("/api/models").json()["models"]]


@pytest.fixture(scope="module")
def world(stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("routed")
    path = folder / "providers.yaml"
    variables = environment(
        stores,
        folder,
        RAYLM_PROVIDERS=str(path),
        RAYLM_TITLE_MODEL="off",
        SECRET_KEY="sk-secret-key",
    )
    with Broken() as broken:
        thread = threading.Thread(target=broken.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        world = World(GatewayProcess(folder / "log", variables), path)
        world.write(
            providers={
                "bad": {
                    "kind": "openai",
                    "base_url": f"http://127.0.0.1:{broken.server_port}/v1",
                    "api_key": "${SECRET_KEY}",
                    "models": ["m", "caller"],
                },
                "other": {"kind": "mock"},
            },
            models={
                "bad/m": {"tools": False, "allow": ["regular", "guest"]},
                "mock/slow": {"allow": ["regular"], "name": "Slow"},
                "mock/echo": {"context_tokens": 5000, "prices": {"input": 1, "output": 2}},
            },
            groups={
                "sure": {
                    "name": "Sure",
                    "members": ["bad/m", "mock/echo"],
                    "allowed_fails": 999,
                },
                "calls": {"members": ["bad/caller", "mock/echo"], "allowed_fails": 999},
                "staff": {"members": ["mock/echo"], "allow": ["admin"]},
            },
        )
        try:
            with world.gateway:
                yield world
        finally:
            broken.shutdown()
            thread.join()


def test_everybody_is_shown_what_they_may_use(world: World) -> None:
    guest, regular = world.gateway.user(), world.gateway.user()
    regular.register()
    nobody = world.gateway.visitor()
    assert "mock/slow" not in world.models(guest)
    assert "mock/slow" in world.models(regular)
    for seen in (world.models(guest), world.models(regular)):
        assert seen[0] == "sure"
        assert "staff" not in seen
        assert {"bad/m", "mock/echo", "other/echo"} <= set(seen)
    listed = nobody.get("/api/models").json()
    assert [model["id"] for model in listed["models"]] == world.models(guest)
    echo = next(model for model in listed["models"] if model["id"] == "mock/echo")
    assert echo["prices"] == {"input": 1, "output": 2, "cached": None, "cacheWrite": None}
    assert echo["context_tokens"] == 5000


def test_asking_for_what_one_may_not_use_is_forbidden(world: World) -> None:
    guest, chat = world.gateway.user(), new_id()
    for model, types in (("mock/slow", "regular"), ("staff", "admin")):
        refused = guest.ask("Hello", chat=chat, model=model)
        assert refused.status_code == 403
        assert refused.json() == {
            "code": "forbidden:model",
            "message": "You may not use this model. Please choose another one.",
            "cause": f"'{model}' is for users of type {types}",
        }
    assert guest.messages(chat) == []


def test_the_same_for_openais_clients(world: World) -> None:
    guest, regular = world.gateway.user(), world.gateway.user()
    regular.register()
    assert world.gateway.visitor().get("/v1/models").status_code == 401
    key = regular.http.post("/api/keys", json={"name": "k"}).json()["key"]
    program = world.gateway.visitor()
    listed = program.get("/v1/models", headers={"authorization": f"Bearer {key}"}).json()
    assert listed["object"] == "list"
    models = {model["id"]: model for model in listed["data"]}
    assert list(models) == world.models(regular)
    assert models["sure"]["owned_by"] == "group"
    echo = models["mock/echo"]
    assert echo.pop("created") <= time.time()
    assert echo == {
        "id": "mock/echo",
        "object": "model",
        "owned_by": "mock",
        "max_model_len": 5000,
    }
    shown = guest.http.get("/v1/models").json()["data"]
    assert [model["id"] for model in shown] == world.models(guest)


def test_an_answer_that_breaks_off_goes_on_in_a_new_part(world: World) -> None:
    """In parts that every version of the SDK knows."""
    user, chat = world.gateway.user(), new_id()
    parts = parts_of(user.ask("Hello there", chat=chat, model="sure").content)
    kinds = [part["type"] for part in parts if part["type"] != "data-chat-title"]
    assert kinds[:8] == [
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
        "text-start",
        "text-delta",
    ]
    answer = user.answer(chat)
    texts = [part["text"] for part in answer["parts"] if part["type"] == "text"]
    assert texts[0] == "Half an "
    assert texts[1].startswith("Your answer was cut off")  # mock/echo repeats what it is asked
    assert answer["metadata"]["status"] == "complete"
    assert answer["metadata"]["model"] == "sure"
    assert answer["metadata"]["answeredBy"] == "mock/echo"


def test_a_client_that_knows_it_sees_the_step_reset(world: World) -> None:
    user, chat = world.gateway.user(), new_id()
    parts = parts_of(user.ask("Hello there", chat=chat, model="sure", resetStep=True).content)
    assert "reset-step" in [part["type"] for part in parts]
    answer = user.answer(chat)
    assert text_of(answer) == "Hello there"
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text"]


@pytest.mark.parametrize("resets", [False, True])
def test_half_a_call_of_a_tool_has_no_result(world: World, resets: bool) -> None:
    user, chat = world.gateway.user(), new_id()
    parts = parts_of(user.ask("Hello there", chat=chat, model="calls", resetStep=resets).content)
    assert parts[-1]["type"] == "finish"
    answer = user.answer(chat)
    if resets:
        assert text_of(answer) == "Hello there"
    assert [call["state"] for call in calls_of(answer)] == ([] if resets else ["output-error"])
    assert answer["metadata"]["status"] == "complete"


def test_the_file_is_read_again_when_it_changes(world: World) -> None:
    user = world.gateway.user()
    user.register()
    chat = new_id()
    with user.asking("One two", chat=chat, model="mock/slow") as stream:
        stream.read_until(b"text-delta")
        world.write(groups={**world.tree["groups"], "late": {"members": ["mock/echo"]}})
        eventually(lambda: "late" in world.models(user))
        assert text_of_asking(user, "late") == "Hello"

        good = world.path.read_text()
        world.path.write_text(good.replace("groups:", "groupz:"))
        eventually(lambda: "did you mean 'groups'?" in world.gateway.said)
        assert "late" in world.models(user)

        world.write(models={**world.tree["models"], "mock/slow": {"allow": ["admin"]}})
        eventually(lambda: "mock/slow" not in world.models(user))
        assert user.ask("Hi", chat=new_id(), model="mock/slow").status_code == 403
        user.http.post(f"/api/chat/{chat}/stop")
        assert stream.rest().count(b'"text-delta"') > 20  # it went on all the while
    assert "sk-secret-key" not in world.gateway.said


def text_of_asking(user: User, model: str) -> str:
    chat = new_id()
    user.ask("Hello", chat=chat, model=model)
    return text_of(user.answer(chat))


async def test_a_gateway_does_not_start_with_a_broken_one(
    stores: StoreUrls, tmp_path: Path
) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text("providers: {a: {kind: opnai}}")
    settings = Settings(
        database_url=stores.database_url,
        redis_url=stores.redis_url,
        data_dir=tmp_path,
        providers=path,
        limits="off",
    )
    app = create_app(settings)
    with pytest.raises(ConfigError, match="did you mean 'openai'"):
        async with app.router.lifespan_context(app):
            raise AssertionError("it has started")
