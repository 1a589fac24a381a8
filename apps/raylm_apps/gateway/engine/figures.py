"""What the engine's Prometheus metrics say of each model, and how fast it is by two of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PREFIX = "raylm_engine_"
SHORTEST_S, LONGEST_S = 0.5, 60.0


@dataclass(frozen=True)
class Reading:
    """Of one model. `born` tells replicas apart: it is when its counters began."""

    at: float
    born: float
    waiting: int
    running: int
    free_blocks: int
    total_blocks: int
    prompt_tokens: float
    generated_tokens: float
    first_tokens: float
    first_token_seconds: float

    @property
    def cache_used(self) -> float:
        """A share."""
        return 1 - self.free_blocks / self.total_blocks if self.total_blocks else 0.0

    @property
    def first_token_s(self) -> float | None:
        """The mean since the model was loaded."""
        return self.first_token_seconds / self.first_tokens if self.first_tokens else None


def readings_of(exposition: str, at: float) -> dict[str, Reading]:
    """By the model's id."""
    values = {
        (sample.name.removeprefix(PREFIX), *_of(sample.labels)): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name.startswith(PREFIX) and "le" not in sample.labels
    }
    models = sorted({model for name, model, _ in values if name == "total_blocks"})
    return {model: _reading(values, model, at) for model in models}


class Pace:
    """Tokens a second between this reading and the one before, of the same counters."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, float], Reading] = {}
        self._pace: dict[tuple[str, float], float] = {}

    def tokens_per_second(self, model: str, now: Reading) -> float | None:
        """None until two readings lie far enough apart, and near enough."""
        key = (model, now.born)
        before = self._before.setdefault(key, now)
        seconds = now.at - before.at
        if seconds >= SHORTEST_S:
            self._before[key] = now
            self._pace.pop(key, None)
            if seconds <= LONGEST_S:
                self._pace[key] = (now.generated_tokens - before.generated_tokens) / seconds
        self._forget(now.at)
        return self._pace.get(key)

    def _forget(self, now: float) -> None:
        for key in [key for key, was in self._before.items() if now - was.at > LONGEST_S]:
            del self._before[key]
            self._pace.pop(key, None)


Values = Mapping[tuple[str, str, str], float]


def _of(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("model", ""), labels.get("kind", labels.get("priority", ""))


def _reading(values: Values, model: str, at: float) -> Reading:
    def value(name: str, kind: str = "") -> float:
        return values.get((name, model, kind), 0.0)

    return Reading(
        at=at,
        born=value("tokens_created", "generated"),
        waiting=int(value("waiting")),
        running=int(value("running")),
        free_blocks=int(value("free_blocks")),
        total_blocks=int(value("total_blocks")),
        prompt_tokens=value("tokens_total", "prompt"),
        generated_tokens=value("tokens_total", "generated"),
        first_tokens=value("first_token_seconds_count"),
        first_token_seconds=value("first_token_seconds_sum"),
    )
