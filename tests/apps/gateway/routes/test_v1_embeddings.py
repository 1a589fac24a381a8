"""OpenAI's embeddings, read by OpenAI's own client: through as they are, and of Google's."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.apps.gateway.openai_server import EMBEDDING, SECRET, OpenAIServer, openai_server

pytestmark = pytest.mark.services


class Gemini(ThreadingHTTPServer):
    """Google's server, as far as it makes vectors."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Gemini

    def do_GET(self) -> None:
        model = {
            "name": "models/gemini-embedding-1",
            "supportedGenerationMethods": ["embedContent"],
        }
        self._answer({"models": [model]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, asked))
        texts = [request["content"]["parts"][0]["text"] for request in asked["requests"]]
        self._answer({"embeddings": [{"values": [len(text), 0.5]} for text in texts]})

    def _answer(self, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *line: object) -> None: ...


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenAIServer]:
    with openai_server() as server:
        yield server


@pytest.fixture(scope="module")
def gemini() -> Iterator[Gemini]:
    with Gemini() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def program(
    upstream: OpenAIServer,
    gemini: Gemini,
    stores: StoreUrls,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("embeddings")
    variables = environment(
        stores,
        folder,
        OPENAI_BASE_URL=upstream.url,
        OPENAI_API_KEY=SECRET,
        GOOGLE_BASE_URL=f"http://127.0.0.1:{gemini.server_port}",
        GOOGLE_API_KEY="AIza-google-secret",
        RAYLM_V1_ACCESS="anyone",
    )
    with (
        GatewayProcess(folder / "log", variables) as process,
        openai.OpenAI(base_url=f"{process.base_url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def test_they_go_through_as_they_are(program: openai.OpenAI, upstream: OpenAIServer) -> None:
    upstream.asked.clear()
    answer = program.embeddings.create(model=f"openai/{EMBEDDING}", input=["a", "bcd"])
    assert [vector.embedding for vector in answer.data] == [[1.0, 1.0], [3.0, 1.0]]
    assert answer.usage.total_tokens == 2
    assert upstream.asked[0] == {
        "model": EMBEDDING,
        "input": ["a", "bcd"],
        "encoding_format": "base64",
    }


@pytest.mark.parametrize("form", ["float", "base64"])
def test_google_s_are_translated(program: openai.OpenAI, gemini: Gemini, form: Any) -> None:
    gemini.asked.clear()
    model = "google/gemini-embedding-1"
    answer = program.embeddings.create(
        model=model, input=["a", "bcd"], dimensions=2, encoding_format=form
    )
    raw = answer.data[1].embedding
    assert answer.model == model
    assert raw == [3.0, 0.5] if form == "float" else isinstance(raw, str)
    path, asked = gemini.asked[0]
    assert path == "/v1beta/models/gemini-embedding-1:batchEmbedContents"
    assert asked["requests"][0]["outputDimensionality"] == 2
    decoded = program.embeddings.create(model=model, input="bcd").data[0].embedding
    assert decoded == [3.0, 0.5]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"model": "mock/echo", "input": "a"}, 400),
        ({"model": "google/gemini-embedding-1", "input": [1, 2]}, 400),
        ({"model": "google/gemini-embedding-1", "input": []}, 400),
        ({"model": "nobody/x", "input": "a"}, 404),
    ],
)
def test_what_cannot_be_is_named(
    program: openai.OpenAI, asked: dict[str, Any], status: int
) -> None:
    with pytest.raises(openai.APIStatusError) as failure:
        program.embeddings.create(**asked)
    assert failure.value.status_code == status
    assert any(named in str(failure.value) for named in (asked["model"], "text"))


def test_they_are_listed_for_programs_and_not_for_chats(program: openai.OpenAI) -> None:
    listed = {model.id for model in program.models.list()}
    assert {f"openai/{EMBEDDING}", "google/gemini-embedding-1", "openai/words"} <= listed
