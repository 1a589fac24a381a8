"""An OpenAI-compatible server whose models refuse tools, each in the words of another server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OLLAMA = {
    "error": {
        "message": "registry.ollama.ai/library/gemma:2b does not support tools",
        "type": "api_error",
        "param": None,
        "code": None,
    }
}
VLLM = {
    "object": "error",
    "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be '
    "set",
    "type": "BadRequestError",
    "param": None,
    "code": 400,
}
OPENROUTER = {
    "error": {
        "message": "No endpoints found that support tool use. To learn more about provider "
        "routing, visit: https://openrouter.ai/docs/guides/routing/provider-selection",
        "code": 404,
    }
}
HOSTED = {"error": {"message": "tools is not supported in this model.", "type": "invalid_request"}}
PYDANTIC = {
    "detail": [
        {"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs are not allowed"}
    ]
}
REFUSALS: dict[str, tuple[int, Any]] = {
    "ollama": (400, OLLAMA),
    "vllm": (400, VLLM),
    "openrouter": (404, OPENROUTER),
    "hosted": (400, HOSTED),
    "pydantic": (422, PYDANTIC),
}
OTHER_MISTAKES: dict[str, tuple[int, Any]] = {
    "wrong": (400, {"error": {"message": "messages.0.content must be a string"}}),
}


class RefusingServer(ThreadingHTTPServer):
    """`asked`: of every question its model, and the names of the tools that came with it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, list[str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: RefusingServer

    def do_GET(self) -> None:
        models = [{"id": name} for name in (*REFUSALS, *OTHER_MISTAKES)]
        self._answer(200, "application/json", json.dumps({"data": models}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model, tools = body["model"], body.get("tools", [])
        self.server.asked.append((model, [tool["function"]["name"] for tool in tools]))
        if tools or model in OTHER_MISTAKES:
            status, error = (REFUSALS | OTHER_MISTAKES)[model]
            self._answer(status, "application/json", json.dumps(error))
            return
        said = {"choices": [{"index": 0, "delta": {"content": "Hi."}, "finish_reason": "stop"}]}
        self._answer(200, "text/event-stream", f"data: {json.dumps(said)}\n\ndata: [DONE]\n\n")

    def _answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *line: object) -> None: ...


@contextmanager
def refusing_server() -> Iterator[RefusingServer]:
    with RefusingServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
