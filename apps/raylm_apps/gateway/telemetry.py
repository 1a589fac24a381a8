"""What operators see: one log line a request, and Prometheus metrics."""

import logging
import re
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any, TextIO

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raylm_apps.gateway.tracing import add_trace_id

QUIET = ("/health/", "/metrics", "/assets/")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
STORES = ("postgresql", "redis", "files")
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
COUNTERS = {  # what each counts, and its labels
    "raylm_http_requests": ("Requests", "method", "route", "status"),
    "raylm_answers": ("Answers by how they ended", "model", "status"),
    "raylm_upload_bytes": ("Bytes of files kept", "type"),
    "raylm_store_outages": ("Times that a store did not answer", "store"),
    "raylm_used_tokens": ("Tokens that models have read and written", "model", "kind"),
    "raylm_spent_micros": ("Millionths of a dollar", "model"),
    "raylm_budget_refusals": (
        "Requests refused by a budget, by the limit that was reached",
        "kind",
    ),
}
HISTOGRAMS = {
    "raylm_http_seconds": ("Seconds to the first byte of the response", "method", "route"),
    "raylm_first_token_seconds": ("Seconds from asking the provider to its first token", "model"),
    "raylm_stream_seconds": (
        "Seconds from the first to the last byte of a streamed response",
        "route",
    ),
}
GAUGES = {
    "raylm_streams_open": "Streamed responses being read",
    "raylm_answers_active": "Answers being written",
    "raylm_answers_unsaved": "States that wait for PostgreSQL",
}
logger = structlog.get_logger()


class Metrics:
    """One registry an application, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._counters = {
            name: Counter(name, text, labels, registry=registry)
            for name, (text, *labels) in COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(name, text, labels, buckets=BUCKETS, registry=registry)
            for name, (text, *labels) in HISTOGRAMS.items()
        }
        gauges = {name: Gauge(name, text, registry=registry) for name, text in GAUGES.items()}
        self.streams_open = gauges["raylm_streams_open"]
        self.answers_active = gauges["raylm_answers_active"]
        self.answers_unsaved = gauges["raylm_answers_unsaved"]
        self._counting: dict[tuple[str, ...], Counter] = {}
        self._observing: dict[tuple[str, ...], Histogram] = {}
        for store in STORES:
            self._count("raylm_store_outages", store, times=0)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._count("raylm_http_requests", method, route, str(status))
        self._observe("raylm_http_seconds", method, route, seconds=seconds)

    def first_token(self, model: str, seconds: float) -> None:
        self._observe("raylm_first_token_seconds", model, seconds=seconds)

    def answer_ended(self, model: str, status: str) -> None:
        self._count("raylm_answers", model, status)

    def stream_ended(self, route: str, seconds: float) -> None:
        self._observe("raylm_stream_seconds", route, seconds=seconds)

    def outage(self, store: str) -> None:
        self._count("raylm_store_outages", store)

    def upload(self, content_type: str, size_bytes: int) -> None:
        self._count("raylm_upload_bytes", content_type, times=size_bytes)

    def used(self, model: str, input_tokens: int, output_tokens: int, micros: int) -> None:
        self._count("raylm_used_tokens", model, "input", times=input_tokens)
        self._count("raylm_used_tokens", model, "output", times=output_tokens)
        self._count("raylm_spent_micros", model, times=micros)

    def budget_refused(self, kind: str) -> None:
        self._count("raylm_budget_refusals", kind)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

    def _count(self, *series: str, times: int = 1) -> None:
        """`series` is a name and its labels, looked up here in a tenth of what `labels` takes."""
        counter = self._counting.get(series)
        if counter is None:
            name, *labels = series
            counter = self._counting[series] = self._counters[name].labels(*labels)
        counter.inc(times)

    def _observe(self, *series: str, seconds: float) -> None:
        histogram = self._observing.get(series)
        if histogram is None:
            name, *labels = series
            histogram = self._observing[series] = self._histograms[name].labels(*labels)
        histogram.observe(seconds)


class RequestLog:
    """ASGI middleware: names each request, measures it to the first byte, logs it once."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        started, status, first_byte_s = time.perf_counter(), 500, None
        is_stream = False

        async def watch(message: Message) -> None:
            nonlocal status, first_byte_s, is_stream
            if message["type"] == "http.response.start":
                status, first_byte_s = message["status"], time.perf_counter() - started
                is_stream = _is_stream(message)
                if is_stream:
                    self._metrics.streams_open.inc()
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, watch)
        finally:
            seconds = time.perf_counter() - started
            first_s = seconds if first_byte_s is None else first_byte_s
            self._record(scope, status, first_s)
            if is_stream:
                self._metrics.streams_open.dec()
                self._metrics.stream_ended(_route(scope), seconds - first_s)
            structlog.contextvars.reset_contextvars(**tokens)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method, path = scope["method"], scope["path"]
        self._metrics.request(method, _route(scope), status, seconds)
        write = logger.debug if path.startswith(QUIET) else logger.info
        write("request", method=method, path=path, status=status, ms=round(1000 * seconds, 2))


def _route(scope: Scope) -> str:
    """The pattern, never the path: a metric must not have a label for every chat."""
    route: str = getattr(scope.get("route"), "path", "(none)")
    return route


def _is_stream(start: Message) -> bool:
    return (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            given: str = value.decode()
            return given
    return uuid.uuid4().hex


def configure_logging(log: TextIO | None = None) -> None:
    """JSON lines, by default on stderr, or colours where a person watches."""
    log = log or sys.stderr
    pretty = log.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_trace_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([] if pretty else [structlog.processors.format_exc_info]),
            _console() if pretty else structlog.processors.JSONRenderer(_as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(log),
        cache_logger_on_first_use=True,
    )


def _as_json(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=repr).decode()


def _console() -> structlog.dev.ConsoleRenderer:
    """Not rich's tracebacks, which show every variable: cookies, keys, what people wrote."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
