"""What operators see: traces, metrics, lines of the log; and what they must not see."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.main import create_app
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.telemetry import Metrics, configure_logging
from raylm_apps.gateway.tracing import Tracing
from tests.apps.gateway.harness import GatewayProcess, User, eventually, new_id

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
async def client(
    stores: StoreUrls, exporter: InMemorySpanExporter, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A guest of a gateway in this process, whose spans are kept."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    settings = Settings(
        database_url=stores.database_url,
        redis_url=stores.redis_url,
        data_dir=tmp_path,
        mock_provider=True,
        limits="off",  # other tests of this address have used them up
    )
    app = create_app(settings, Tracing(provider))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        (await client.post("/api/auth/guest")).raise_for_status()
        exporter.clear()
        yield client


def question(text: str) -> dict[str, object]:
    parts = [{"type": "text", "text": text}]
    message = {"id": new_id(), "role": "user", "parts": parts}
    return {"id": new_id(), "message": message, "selectedChatModel": "mock/echo"}


def named(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    return next(span for span in exporter.get_finished_spans() if span.name == name)


def everything(exporter: InMemorySpanExporter) -> str:
    return " ".join(span.to_json() for span in exporter.get_finished_spans())


@pytest.mark.services
async def test_a_trace_of_request_stores_answer_and_model(
    client: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    parent = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
    answered = await client.post("/api/chat", json=question("secret words"), headers=parent)
    answered.raise_for_status()
    async with asyncio.timeout(10):
        while "answer" not in [
            span.name for span in exporter.get_finished_spans()
        ]:  # it ends a moment after its stream
            await asyncio.sleep(0.01)
    request, answer = named(exporter, "POST /api/chat"), named(exporter, "answer")
    model, store = named(exporter, "chat mock/echo"), named(exporter, "postgresql")
    for span in (request, answer, model, store):
        assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert answer.parent.span_id == request.context.span_id
    assert model.parent.span_id == answer.context.span_id
    assert request.attributes["http.response.status_code"] == 200
    assert answer.attributes["raylm.answer.status"] == "complete"
    assert model.attributes["gen_ai.usage.input_tokens"] == 2
    assert [event.name for event in model.events] == ["first token"]
    assert "secret words" not in everything(exporter)


@pytest.mark.services
async def test_a_trace_has_no_queries_and_no_probes(
    client: httpx.AsyncClient, exporter: InMemorySpanExporter
) -> None:
    await client.get("/health/live")
    await client.get("/api/auth/guest?redirectUrl=/&code=secret-code")
    assert "GET /api/auth/guest" in everything(exporter)
    assert "secret-code" not in everything(exporter)
    assert "raylm_session" not in everything(exporter)
    assert "/health" not in everything(exporter)


def test_without_an_endpoint_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    tracing = Tracing.from_environment()
    assert tracing.provider is None
    assert tracing.span("one") is tracing.span("two")


def test_an_endpoint_turns_tracing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    tracing = Tracing.from_environment()
    try:
        assert tracing.span("one") is not tracing.span("two")
    finally:
        tracing.close()


@pytest.mark.services
def test_metrics_of_streams_outages_and_uploads(
    gateway: GatewayProcess, ada: User, chat: str
) -> None:
    ada.ask("count me", chat=chat)
    with ada.asking("one two", chat=new_id()) as stream:
        stream.read_until(b"text-delta", 2)
        assert "raylm_streams_open 1.0" in ada.http.get("/metrics").text
    ada.http.post("/api/files/upload", files={"file": ("a.txt", b"twelve bytes")})
    eventually(lambda: "raylm_streams_open 0.0" in ada.http.get("/metrics").text)
    metrics = ada.http.get("/metrics").text
    assert 'raylm_stream_seconds_count{route="/api/chat"}' in metrics
    assert 'raylm_upload_bytes_total{type="text/plain"}' in metrics
    for store in ("postgresql", "redis", "files"):
        assert f'raylm_store_outages_total{{store="{store}"}}' in metrics
    assert chat not in metrics


def test_metrics_belong_to_one_application() -> None:
    one, other = Metrics(), Metrics()
    one.outage("redis")
    assert b'raylm_store_outages_total{store="redis"} 1.0' in one.exposition()
    assert b'raylm_store_outages_total{store="redis"} 0.0' in other.exposition()


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_in_the_log_shows_no_variable(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, too, where rich's traceback would show what a cookie holds."""
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr("sys.stderr", written)
    configure_logging()
    cookie = "".join(["very", "-", "secret"])
    try:
        raise ValueError(f"no cookie of {len(cookie)} letters")
    except ValueError:
        structlog.get_logger().bind().error("a request failed", exc_info=True)
    finally:
        structlog.reset_defaults()
    assert "no cookie of 11 letters" in written.getvalue()
    assert cookie not in written.getvalue()


@pytest.mark.services
def test_a_line_of_the_log_names_request_route_and_status(
    gateway: GatewayProcess, ada: User
) -> None:
    ada.http.get("/api/history?q=secret-words", headers={"x-request-id": "findable-1"})
    log = gateway.data_dir / "log"
    own = eventually(
        lambda: [line for line in log.read_text().splitlines() if "findable-1" in line]
    )
    entry = json.loads(own[0])
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/api/history", 200)
    assert "secret-words" not in own[0]
    assert ada.cookie not in log.read_text()
