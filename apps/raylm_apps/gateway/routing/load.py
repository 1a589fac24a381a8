"""How busy and how quick each model is, as this process has seen it."""

from collections import Counter

SMOOTHING = 0.2  # the newest answer's share of the moving average


class Load:
    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._latency_s: dict[str, float] = {}

    def in_flight(self, model: str) -> int:
        return self._in_flight[model]

    def latency_s(self, model: str) -> float | None:
        return self._latency_s.get(model)

    def asked(self, model: str) -> None:
        self._in_flight[model] += 1

    def ended(self, model: str) -> None:
        self._in_flight[model] -= 1
        if self._in_flight[model] <= 0:
            del self._in_flight[model]

    def began(self, model: str, seconds: float) -> None:
        before = self._latency_s.get(model, seconds)
        self._latency_s[model] = before + SMOOTHING * (seconds - before)
