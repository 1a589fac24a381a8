"""What the engine's HAProxy sees of a chat: the same session in every turn."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment, new_id, text_of

MODELS = json.dumps({"data": [{"id": "raylm/small", "max_model_len": 2048}]}).encode()
CHUNK = {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]}
ANSWER = f"data: {json.dumps(CHUNK)}\n\ndata: [DONE]\n\n".encode()


class Engine(BaseHTTPRequestHandler):
    sessions: list[str | None]

    def do_GET(self) -> None:
        self._reply("application/json", MODELS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.sessions.append(self.headers["x-session-id"])
        self._reply("text/event-stream", ANSWER)

    def log_message(self, *line: object) -> None: ...

    def _reply(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine() -> Iterator[ThreadingHTTPServer]:
    Engine.sessions = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_every_turn_of_a_chat_names_the_chat(
    engine: ThreadingHTTPServer, stores: StoreUrls, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{engine.server_port}/v1"
    variables = environment(stores, tmp_path, RAYLM_ENGINE_URL=url)
    chats = [new_id(), new_id()]
    with GatewayProcess(tmp_path / "log", variables) as gateway:
        user = gateway.user()
        for chat in (chats[0], chats[1], chats[0]):
            assert user.ask("Still there?", chat=chat, model="raylm/small").status_code == 200
        assert text_of(user.answer(chats[0])) == "Yes."
    assert Engine.sessions == [chats[0], chats[1], chats[0]]
