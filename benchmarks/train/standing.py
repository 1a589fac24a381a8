"""What a mode costs: medians over the rounds of what its ranks measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Self

from benchmarks.train.ranks import RankFigures

_BYTES_PER_PARAMETER = {"fp32": 4, "bf16": 2}


@dataclass(frozen=True)
class Standing:
    """Sent bytes are for each rank and step, in units of all parameters' bytes (Psi)."""

    mode: str
    cpu_rounds_s: tuple[float, ...]  # for each step and rank, in each round: of its mean step
    wall_rounds_s: tuple[float, ...]  # of its median step
    loopback_psi: float
    counted_psi: float | None  # by the library itself
    peak_rss_bytes: float  # the largest rank's
    rss_over_imports_bytes: float
    losses: tuple[float, ...]  # of every step of the first round, mean of the ranks
    first_rank_losses: tuple[float, ...]
    arithmetic: str
    foreign_cores: float  # kept busy by other programs in the worst round

    @property
    def cpu_s(self) -> float:
        return median(self.cpu_rounds_s)

    @property
    def wall_s(self) -> float:
        return median(self.wall_rounds_s)

    @classmethod
    def of(cls, rounds: Sequence[Sequence[RankFigures]]) -> Self:
        ranks = rounds[0]
        first = ranks[0]
        psi_bytes = first["parameters"] * _BYTES_PER_PARAMETER[first["precision"]]
        counted = [_largest(run, "counted_bytes_per_step") for run in rounds if _counts(run)]
        return cls(
            mode=first["mode"],
            cpu_rounds_s=tuple(fmean(fmean(rank["cpu_s"]) for rank in run) for run in rounds),
            wall_rounds_s=tuple(
                median(s for rank in run for s in rank["wall_s"]) for run in rounds
            ),
            loopback_psi=median(run[0]["loopback_bytes_per_step"] / len(run) for run in rounds)
            / psi_bytes,
            counted_psi=median(counted) / psi_bytes if counted else None,
            peak_rss_bytes=median(_largest(run, "peak_rss_bytes") for run in rounds),
            rss_over_imports_bytes=median(
                _largest(run, "rss_over_imports_bytes") for run in rounds
            ),
            losses=tuple(
                fmean(losses) for losses in zip(*(rank["losses"] for rank in ranks), strict=True)
            ),
            first_rank_losses=tuple(first["losses"]),
            arithmetic=first["arithmetic"],
            foreign_cores=max(run[0]["foreign_cores"] for run in rounds),
        )


def _largest(run: Sequence[RankFigures], key: str) -> float:
    return max(rank[key] for rank in run)


def _counts(run: Sequence[RankFigures]) -> bool:
    return run[0]["counted_bytes_per_step"] is not None
