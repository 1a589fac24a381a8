"""OpenTelemetry traces, exported only where OTEL_EXPORTER_OTLP_ENDPOINT says whereto.

FastAPI makes the span of a request; here are those of the stores, of the model and of the answer.
"""

import os
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from functools import partial
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from raylm.core.wire.events import Event, Finished
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import (
    ModelCard,
    Provider,
    ProviderError,
    embedder_of,
    relay_of,
)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
QUIET = ("/health/", "/metrics", "/assets/")
_NOTHING = nullcontext()


class Tracing:
    """Off without a provider: then a span is one shared object that does nothing."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer("raylm.gateway") if provider else None
        if provider is not None:
            provider.add_span_processor(_WithoutQueries())

    @classmethod
    def from_environment(cls) -> "Tracing":
        if not any(os.environ.get(name) for name in ENDPOINTS):
            return cls()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "raylm")})
        provider = TracerProvider(resource=resource)
        tracing = cls(provider)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return tracing

    @property
    def fastapi(self) -> TelemetryConfig:
        """No logs: their exceptions' texts may hold what people wrote."""
        return {
            "tracer_provider": self.provider,
            "tracing": self.provider is not None,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": _is_quiet,
        }

    def span(self, name: str, **attributes: str | int) -> AbstractContextManager[Any]:
        if self._tracer is None:
            return _NOTHING
        return self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False
        )

    def inner_span(self, name: str, **attributes: str | int) -> AbstractContextManager[Any]:
        """Only within another one: what background loops do is nobody's trace."""
        if self._tracer is None or not trace.get_current_span().is_recording():
            return _NOTHING
        return self.span(name, **attributes)

    def watch(self, provider: Provider) -> Provider:
        return provider if self._tracer is None else _Watched(provider, self._tracer)

    def close(self) -> None:
        """Sends what has not been sent; may wait for the network."""
        if self.provider is not None:
            self.provider.shutdown()


class _Watched:
    """A provider whose calls are spans, with the names OpenTelemetry has for generative models."""

    def __init__(self, provider: Provider, tracer: trace.Tracer) -> None:
        self.name = provider.name
        self._provider = provider
        self._tracer = tracer

    @property
    def relay(self) -> Callable[..., AsyncGenerator[bytes, None]]:
        """Raises AttributeError where the provider has none."""
        relay = relay_of(self._provider)
        if relay is None:
            raise AttributeError("relay")
        return partial(self._relay, relay.relay)

    @property
    def embed(self) -> Callable[..., Any]:
        """Raises AttributeError where the provider has none."""
        embedder = embedder_of(self._provider)
        if embedder is None:
            raise AttributeError("embed")
        return embedder.embed

    async def models(self) -> Sequence[ModelCard]:
        return await self._provider.models()

    async def _relay(
        self,
        relay: Callable[..., AsyncGenerator[bytes, None]],
        model: ModelCard,
        path: str,
        body: Mapping[str, Any],
    ) -> AsyncGenerator[bytes, None]:
        request = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model.id}
        span = self._tracer.start_span(f"chat {model.id}", attributes=request)
        try:
            async with aclosing(relay(model, path, body)) as pieces:
                async for piece in pieces:
                    yield piece
        except ProviderError:
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    async def stream(self, model: ModelCard, prompt: Prompt) -> AsyncGenerator[Event, None]:
        seen = False
        request = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model.id}
        span = self._tracer.start_span(f"chat {model.id}", attributes=request)
        try:
            async with aclosing(self._provider.stream(model, prompt)) as events:
                async for event in events:
                    if not seen:
                        span.add_event("first token")
                        seen = True
                    if isinstance(event, Finished) and event.usage:
                        span.set_attribute("gen_ai.usage.input_tokens", event.usage.input_tokens)
                        span.set_attribute("gen_ai.usage.output_tokens", event.usage.output_tokens)
                    yield event
        except ProviderError as error:
            span.set_attribute("error.type", error.failure)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()


class _WithoutQueries(SpanProcessor):
    """An address's query holds what people search for, and the codes of sign-ins."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if span.attributes and "url.query" in span.attributes:
            span.set_attribute("url.query", "REDACTED")

    def on_end(self, span: ReadableSpan) -> None:
        pass


def add_trace_id(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """To a line of the log, so that it can be found from the trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
    return event


def _is_quiet(scope: MutableMapping[str, Any]) -> bool:
    return str(scope["path"]).startswith(QUIET)
