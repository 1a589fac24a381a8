"""Whether modes that do the same arithmetic have the same losses: else their times say nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.train.modes import MODES
from benchmarks.train.standing import Standing

TOLERANCE = 1e-3  # nats: to 3 decimals


@dataclass(frozen=True)
class Agreement:
    """How far each mode's losses are from the first mode's, at the step where it is farthest."""

    over: str
    distances: dict[str, float]

    @property
    def holds(self) -> bool:
        return max(self.distances.values()) <= TOLERANCE

    def __str__(self) -> str:
        reference, *others = self.distances
        largest = max(self.distances.values())
        if self.holds:
            names = ", ".join(others)
            return (
                f"losses agree to 3 decimals, {self.over}: {names} with {reference} ({largest:.0e})"
            )
        apart = {mode: d for mode, d in self.distances.items() if d > TOLERANCE}
        found = ", ".join(f"{mode} by {distance:.4f}" for mode, distance in apart.items())
        return f"LOSSES DIFFER from {reference}'s, {self.over}: {found}"


def agreements(standings: Mapping[str, Standing]) -> list[Agreement]:
    """Modes that communicate average the same gradients. The others train each rank on its own
    data, and share with the rest the very first loss of rank 0."""
    first_ranks = {mode: row.first_rank_losses for mode, row in standings.items()}
    communicate = {mode: row.losses for mode, row in standings.items() if MODES[mode].communicates}
    alone = {mode: losses for mode, losses in first_ranks.items() if mode not in communicate}
    first_step = {mode: losses[:1] for mode, losses in first_ranks.items()}
    groups = {
        "mean of the ranks in every step": communicate,
        "rank 0 in every step": alone,
        "rank 0 in the first step": first_step,
    }
    return [_compare(over, losses) for over, losses in groups.items() if len(losses) > 1]


def _compare(over: str, losses: Mapping[str, tuple[float, ...]]) -> Agreement:
    reference, *_ = losses.values()
    return Agreement(
        over,
        {
            mode: max(abs(a - b) for a, b in zip(values, reference, strict=True))
            for mode, values in losses.items()
        },
    )
