"""The engines' Prometheus metrics, by model; one registry per app."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from raylm.serve.generation import Batch
from raylm.serve.seam import Engine

FIRST_TOKEN_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
INTER_TOKEN_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


Engines = Callable[[], Mapping[str, Engine]]  # by the id of the model


class Meters:
    def __init__(self, engines: Engines) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_EngineStats(engines))
        self._tokens = Counter(
            "raylm_engine_tokens",
            "Tokens read and written",
            ["model", "kind"],
            registry=self._registry,
        )
        self._first_token = Histogram(
            "raylm_engine_first_token_seconds",
            "From a request's arrival to its first token",
            ["model"],
            buckets=FIRST_TOKEN_BUCKETS_S,
            registry=self._registry,
        )
        self._inter_token = Histogram(
            "raylm_engine_inter_token_seconds",
            "Between two tokens of one choice",
            ["model"],
            buckets=INTER_TOKEN_BUCKETS_S,
            registry=self._registry,
        )

    async def watch(
        self, model: str, batches: AsyncGenerator[Batch, None]
    ) -> AsyncGenerator[Batch, None]:
        """The same batches, measured."""
        last_seen: dict[int, float] = {}
        started = time.perf_counter()
        async with aclosing(batches):
            async for batch in batches:
                self._measure(model, batch, last_seen, started)
                yield batch

    def embedded(self, model: str, prompt_tokens: int) -> None:
        self._tokens.labels(model, "prompt").inc(prompt_tokens)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def _measure(
        self, model: str, batch: Batch, last_seen: dict[int, float], started: float
    ) -> None:
        now = time.perf_counter()
        first_token, inter_token = self._first_token.labels(model), self._inter_token.labels(model)
        for index, piece in batch.items():
            if index in last_seen:
                inter_token.observe((now - last_seen[index]) / max(piece.token_count, 1))
            else:
                first_token.observe(now - started)
                self._tokens.labels(model, "prompt").inc(piece.prompt_tokens)
                self._tokens.labels(model, "cached").inc(piece.cached_tokens)
            last_seen[index] = now
            self._tokens.labels(model, "generated").inc(piece.token_count)


_GAUGES = {
    "waiting": "Requests in the queue",
    "running": "Sequences being decoded",
    "free_blocks": "Blocks of the KV cache that are free",
    "total_blocks": "Blocks of the KV cache",
}
_COUNTERS = {
    "preemptions": "Sequences that gave their blocks up to others",
    "guessed_tokens": "Tokens guessed ahead",
    "held_tokens": "Guesses that were then drawn",
}


class _EngineStats(Collector):
    """Read from the engines at the moment of the scrape."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def collect(self) -> Iterator[Metric]:
        stats = {model: engine.stats() for model, engine in self._engines().items()}
        for kind, names in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for name, help_text in names.items():
                family = kind(f"raylm_engine_{name}", help_text, labels=["model"])
                for model, values in stats.items():
                    family.add_metric([model], getattr(values, name))
                yield family
        yield _queue_lengths({model: values.queue for model, values in stats.items()})


def _queue_lengths(queues: Mapping[str, Mapping[int, int]]) -> Metric:
    """The ordinary priority always has its length; others have one while somebody waits."""
    family = GaugeMetricFamily(
        "raylm_engine_queue_length",
        "Requests in the queue, by priority",
        labels=["model", "priority"],
    )
    for model, queue in queues.items():
        for priority, length in sorted({0: 0, **queue}.items()):
            family.add_metric([model, str(priority)], length)
    return family
