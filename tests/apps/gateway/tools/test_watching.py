from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry, generate_latest

from raylm_apps.gateway.tools.watching import MAX_LABELS, OTHER, Outcome, ToolWatch
from raylm_apps.gateway.tracing import Tracing


def test_labels_are_bounded_however_often_a_server_renames_its_tools() -> None:
    registry = CollectorRegistry()
    watch = ToolWatch(registry, Tracing())
    for number in range(MAX_LABELS + 50):
        with watch.running(f"mcp_{number}") as call:
            call.outcome = "ok"
    watch.count("mcp_0", "denied")
    exposition = generate_latest(registry).decode()
    assert exposition.count("raylm_tool_calls_total{") == MAX_LABELS + 2
    assert exposition.count("raylm_tool_seconds_count{") == MAX_LABELS + 1
    assert f'raylm_tool_calls_total{{outcome="ok",tool="{OTHER}"}} 50.0' in exposition
    assert 'raylm_tool_calls_total{outcome="denied",tool="mcp_0"} 1.0' in exposition


@pytest.fixture
def tracing() -> Iterator[tuple[Tracing, InMemorySpanExporter]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Tracing(provider), exporter
    provider.shutdown()


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("ok", StatusCode.UNSET),
        ("error", StatusCode.ERROR),
        ("timeout", StatusCode.ERROR),
        ("stopped", StatusCode.UNSET),
    ],
)
def test_a_call_is_a_span_of_its_answer(
    tracing: tuple[Tracing, InMemorySpanExporter], outcome: Outcome, status: StatusCode
) -> None:
    traced, exporter = tracing
    watch = ToolWatch(CollectorRegistry(), traced)
    with traced.span("answer"), watch.running("getWeather") as call:
        call.outcome = outcome
    span, answer = exporter.get_finished_spans()
    assert (span.name, span.parent.span_id) == ("execute_tool getWeather", answer.context.span_id)
    assert span.attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "getWeather",
        "raylm.tool.outcome": outcome,
    }
    assert span.status.status_code is status
