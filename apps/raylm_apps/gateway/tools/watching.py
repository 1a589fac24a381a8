"""What operators see of tools: how often each is called, how that ends, how long it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from opentelemetry.trace import StatusCode
from prometheus_client import CollectorRegistry, Counter, Histogram

from raylm_apps.gateway.tracing import Tracing

Outcome = Literal["ok", "error", "timeout", "denied", "stopped"]
# A label is kept for ever, and an MCP server may rename its tools as often as it likes.
MAX_LABELS = 200
UNKNOWN, OTHER = "(unknown)", "(other)"
SECONDS = (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)


@dataclass
class RunningCall:
    outcome: Outcome = "stopped"


class ToolWatch:
    """A model may ask for tools that there are not: those are all called UNKNOWN."""

    def __init__(self, registry: CollectorRegistry, tracing: Tracing) -> None:
        self._tracing = tracing
        self._labels: set[str] = set()
        self._calls = Counter(
            "raylm_tool_calls",
            "Calls of tools by how they ended",
            ("tool", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "raylm_tool_seconds",
            "Seconds that tools ran",
            ("tool",),
            buckets=SECONDS,
            registry=registry,
        )

    def count(self, tool: str | None, outcome: Outcome) -> None:
        """A call that never ran; None is a tool that there is not."""
        self._calls.labels(self._label(tool), outcome).inc()

    @contextmanager
    def running(self, tool: str) -> Iterator[RunningCall]:
        """`stopped` unless told otherwise before it ends."""
        call, started = RunningCall(), time.perf_counter()
        names = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        with self._tracing.inner_span(f"execute_tool {tool}", **names) as span:
            try:
                yield call
            finally:
                self._seconds.labels(self._label(tool)).observe(time.perf_counter() - started)
                self.count(tool, call.outcome)
                if span is not None:
                    span.set_attribute("raylm.tool.outcome", call.outcome)
                    if call.outcome in ("error", "timeout"):
                        span.set_status(StatusCode.ERROR)

    def _label(self, tool: str | None) -> str:
        if tool is None:
            return UNKNOWN
        if tool not in self._labels and len(self._labels) >= MAX_LABELS:
            return OTHER
        self._labels.add(tool)
        return tool
