"""A model that thinks for long: the connection is kept alive meanwhile, in the client's format."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import httpx
import openai
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.apps.gateway.openai_server import DONE, STOP, word

pytestmark = pytest.mark.services
QUESTION: Any = [{"role": "user", "content": "Why?"}]
THINKS_S, HEARTBEAT_S = 0.5, 0.1
PINGS = {
    "/v1/chat/completions": b": ping\n\n",
    "/v1/messages": b'event: ping\ndata: {"type":"ping"}\n\n',
}


class Thinker(BaseHTTPRequestHandler):
    """Thinks before its first word, or after it, or finds out that it cannot answer."""

    def do_GET(self) -> None:
        self._begin(200)
        self.wfile.write(b'{"data": [{"id": "before"}, {"id": "amid"}, {"id": "failing"}]}')

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if b'"amid"' not in body:
            time.sleep(THINKS_S)
        if b'"failing"' in body:
            self._begin(500)
            return
        self._begin(200)
        self.wfile.write(word("So "))
        if b'"amid"' in body:
            time.sleep(THINKS_S)
        self.wfile.write(word("it is.") + STOP + DONE)

    def _begin(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()

    def log_message(self, *line: object) -> None: ...


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("heartbeats")
    with ThreadingHTTPServer(("127.0.0.1", 0), Thinker) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        variables = environment(
            stores,
            folder,
            OPENAI_BASE_URL=f"http://127.0.0.1:{server.server_port}/v1",
            OPENAI_API_KEY="none",
            RAYLM_V1_ACCESS="anyone",
            RAYLM_HEARTBEAT_S=str(HEARTBEAT_S),
        )
        try:
            with GatewayProcess(folder / "log", variables) as process:
                yield process
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def http(gateway: GatewayProcess) -> httpx.Client:
    return gateway.visitor()


def ask(http: httpx.Client, path: str, model: str, **more: Any) -> httpx.Response:
    asked = {"model": f"openai/{model}", "messages": QUESTION, "max_tokens": 9, **more}
    return http.post(path, json=asked)


@pytest.mark.parametrize("path", PINGS)
@pytest.mark.parametrize("model", ["before", "amid"])
def test_a_silent_stream_is_kept_alive(http: httpx.Client, path: str, model: str) -> None:
    answer = ask(http, path, model, stream=True)
    assert answer.status_code == 200
    pings = answer.content.count(PINGS[path])
    assert 2 <= pings <= THINKS_S / HEARTBEAT_S
    assert (answer.content.index(b"So ") < answer.content.index(PINGS[path])) == (model == "amid")
    assert b"it is." in answer.content.rpartition(PINGS[path])[2]


@pytest.mark.parametrize("model", ["before", "amid"])
def test_the_official_clients_read_on(gateway: GatewayProcess, model: str) -> None:
    asked: Any = {"model": f"openai/{model}", "messages": QUESTION, "max_tokens": 9}
    with openai.OpenAI(base_url=f"{gateway.base_url}/v1", api_key="none") as program:
        chunks = list(program.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "So it is."
    with (
        anthropic.Anthropic(base_url=gateway.base_url, api_key="none") as other,
        other.messages.stream(**asked) as stream,
    ):
        assert stream.get_final_text() == "So it is."


@pytest.mark.parametrize("path", PINGS)
def test_a_failure_after_a_ping_is_told_in_the_stream(http: httpx.Client, path: str) -> None:
    answer = ask(http, path, "failing", stream=True)
    assert answer.status_code == 200
    assert answer.content.startswith(PINGS[path])
    assert b'"error"' in answer.content.rpartition(PINGS[path])[2]
    assert ask(http, path, "failing").status_code >= 500


def test_an_answer_at_once_is_no_stream(http: httpx.Client) -> None:
    assert b"ping" not in ask(http, "/v1/chat/completions", "before").content
