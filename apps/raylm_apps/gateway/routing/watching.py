"""What operators see of routing: attempts by their outcome, fallbacks, open circuits."""

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from raylm_apps.gateway.routing.call import Attempt

logger = structlog.get_logger()


class RoutingWatch:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "raylm_attempts",
            "Models asked, by what came of it",
            ("model", "failure"),
            registry=registry,
        )
        self._circuits = Gauge(
            "raylm_circuit_open",
            "Models that are left alone for having failed",
            ("model",),
            registry=registry,
        )

    def attempted(self, attempt: Attempt) -> None:
        self._attempts.labels(attempt.model, attempt.failure or "none").inc()

    def circuit(self, model: str, is_open: bool) -> None:
        self._circuits.labels(model).set(is_open)

    def fell_back(self, asked: str, attempt: Attempt, to: str) -> None:
        logger.warning(
            "fell back",
            asked=asked,
            model=attempt.model,
            failure=attempt.failure,
            seconds=round(attempt.seconds, 3),
            to=to,
        )
