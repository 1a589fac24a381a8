"""What operators see: one log line a request, and Prometheus metrics."""

import logging
import re
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raylm_apps.gateway.tracing import add_trace_id

QUIET = ("/health/", "/metrics", "/assets/")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
STORES = ("postgresql", "redis", "files")
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
logger = structlog.get_logger()


class Metrics:
    """One registry an application, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("raylm_http_requests", "Requests", labels, registry=self.registry)
        self._seconds = Histogram(
            "raylm_http_seconds",
            "Seconds to the first byte of the response",
            ("method", "route"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._first_token = Histogram(
            "raylm_first_token_seconds",
            "Seconds from asking the provider to its first token",
            ("model",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._answers = Counter(
            "raylm_answers",
            "Answers by how they ended",
            ("model", "status"),
            registry=self.registry,
        )
        self._uploads = Counter(
            "raylm_upload_bytes", "Bytes of files kept", ("type",), registry=self.registry
        )
        self._stream_seconds = Histogram(
            "raylm_stream_seconds",
            "Seconds from the first to the last byte of a streamed response",
            ("route",),
            buckets=(*SECONDS, 120, 300, 600),
            registry=self.registry,
        )
        self.streams_open = Gauge(
            "raylm_streams_open", "Streamed responses being read", registry=self.registry
        )
        self._outages = Counter(
            "raylm_store_outages",
            "Times that a store did not answer",
            ("store",),
            registry=self.registry,
        )
        for store in STORES:
            self._outages.labels(store)
        self.answers_active = Gauge(
            "raylm_answers_active", "Answers being written", registry=self.registry
        )
        self.answers_unsaved = Gauge(
            "raylm_answers_unsaved", "States that wait for PostgreSQL", registry=self.registry
        )

        self._used_tokens = Counter(
            "raylm_used_tokens",
            "Tokens that models have read and written",
            ("model", "kind"),
            registry=self.registry,
        )
        self._spent_micros = Counter(
            "raylm_spent_micros", "Millionths of a dollar", ("model",), registry=self.registry
        )
        self._used_of: dict[str, tuple[Counter, Counter, Counter]] = {}
        self._budget_refusals = Counter(
            "raylm_budget_refusals",
            "Requests refused by a budget, by the limit that was reached",
            ("kind",),
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def first_token(self, model: str, seconds: float) -> None:
        self._first_token.labels(model).observe(seconds)

    def answer_ended(self, model: str, status: str) -> None:
        self._answers.labels(model, status).inc()

    def stream_ended(self, route: str, seconds: float) -> None:
        self._stream_seconds.labels(route).observe(seconds)

    def outage(self, store: str) -> None:
        self._outages.labels(store).inc()

    def upload(self, content_type: str, size_bytes: int) -> None:
        self._uploads.labels(content_type).inc(size_bytes)

    def used(self, model: str, input_tokens: int, output_tokens: int, micros: int) -> None:
        counters = self._used_of.get(model)
        if counters is None:
            counters = self._used_of[model] = (
                self._used_tokens.labels(model, "input"),
                self._used_tokens.labels(model, "output"),
                self._spent_micros.labels(model),
            )
        for counter, count in zip(counters, (input_tokens, output_tokens, micros), strict=True):
            counter.inc(count)

    def budget_refused(self, kind: str) -> None:
        self._budget_refusals.labels(kind).inc()

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


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

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, watch)
            finally:
                seconds = time.perf_counter() - started
                first_s = seconds if first_byte_s is None else first_byte_s
                self._record(scope, status, first_s)
                if is_stream:
                    self._metrics.streams_open.dec()
                    self._metrics.stream_ended(_route(scope), seconds - first_s)

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
    given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def configure_logging() -> None:
    """JSON lines on stderr, or colours where a person watches."""
    pretty = sys.stderr.isatty()
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _as_json(event: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(event, default=repr).decode()


def _console() -> structlog.dev.ConsoleRenderer:
    """Not rich's tracebacks, which show every variable: cookies, keys, what people wrote."""
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
