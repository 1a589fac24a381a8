"""The engine's Prometheus metrics, one registry per app."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from raylm.serve.generation import Batch
from raylm.serve.seam import Engine

FIRST_TOKEN_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
INTER_TOKEN_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class Meters:
    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_EngineGauges(engine))
        self._tokens = Counter(
            "raylm_engine_tokens", "Tokens read and written", ["kind"], registry=self._registry
        )
        self._first_token = Histogram(
            "raylm_engine_first_token_seconds",
            "From a request's arrival to its first token",
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=self._registry,
        )
        self._inter_token = Histogram(
            "raylm_engine_inter_token_seconds",
            "Between two tokens of one choice",
            buckets=INTER_TOKEN_BUCKETS_S,
            registry=self._registry,
        )

    async def watch(self, batches: AsyncGenerator[Batch, None]) -> AsyncGenerator[Batch, None]:
        """The same batches, measured."""
        last_seen: dict[int, float] = {}
        started = time.perf_counter()
        async with aclosing(batches):
            async for batch in batches:
                self._measure(batch, last_seen, started)
                yield batch

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def _measure(self, batch: Batch, last_seen: dict[int, float], started: float) -> None:
        now = time.perf_counter()
        for index, piece in batch.items():
            if index in last_seen:
                self._inter_token.observe((now - last_seen[index]) / max(piece.token_count, 1))
            else:
                self._first_token.observe(now - started)
                self._tokens.labels("prompt").inc(piece.prompt_tokens)
                self._tokens.labels("cached").inc(piece.cached_tokens)
            last_seen[index] = now
            self._tokens.labels("generated").inc(piece.token_count)


class _EngineGauges(Collector):
    """Read from the engine at the moment of the scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        stats = self._engine.stats()
        yield _gauge("waiting", "Requests in the queue", stats.waiting)
        yield _gauge("running", "Sequences being decoded", stats.running)
        yield _gauge("free_blocks", "Blocks of the KV cache that are free", stats.free_blocks)
        yield _gauge("total_blocks", "Blocks of the KV cache", stats.total_blocks)


def _gauge(name: str, help_text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"raylm_engine_{name}", help_text, value)
