"""What RayLM's ZeRO has to reach beside its peers, as ratios taken in one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks.train.standing import Standing


@dataclass(frozen=True)
class Bar:
    """`mode` costs at most `limit` times what `peer` costs, on the shape named."""

    shape: Literal["compute", "comm"]
    quantity: Literal["cpu_rounds_s", "wall_rounds_s"]
    mode: str
    peer: str
    limit: float

    def ratio(self, standings: Mapping[str, Standing]) -> float | None:
        """The median over the rounds, each taken by itself: the machine drifts from one to the
        next. None where one of the two was not measured."""
        if self.mode not in standings or self.peer not in standings:
            return None
        mine, theirs = (getattr(standings[name], self.quantity) for name in (self.mode, self.peer))
        return median(own / other for own, other in zip(mine, theirs, strict=True))

    def verdict(self, standings: Mapping[str, Standing]) -> str:
        ratio = self.ratio(standings)
        if ratio is None:
            return "not measured"
        return "pass" if ratio <= self.limit else "miss"

    def __str__(self) -> str:
        clock = {"cpu_rounds_s": "CPU", "wall_rounds_s": "wall"}[self.quantity]
        return f"{clock} of {self.mode} <= {self.limit:.2f}x {self.peer}"


@dataclass(frozen=True)
class TrafficBar:
    """`mode` sends at most 1.02 times what ZeRO must: parts of Psi, N ranks."""

    mode: str
    passes: int  # over all parameters: a reduce-scatter, and one gather or two

    def limit_psi(self, world: int) -> float:
        return 1.02 * self.passes * (world - 1) / world

    def line(self, standings: Mapping[str, Standing], world: int) -> str:
        text = f"{self.mode} sends over loopback <= {self.limit_psi(world):.2f} Psi"
        if self.mode not in standings:
            return f"{'not measured':<12} {text}"
        sent = standings[self.mode].loopback_psi
        return f"{'pass' if sent <= self.limit_psi(world) else 'miss':<12} {text}: {sent:.3f}"


TRAFFIC_BARS = (TrafficBar("raylm2sockets", passes=2), TrafficBar("raylm3sockets", passes=3))

BARS = (
    Bar("compute", "cpu_rounds_s", "raylm0", "single", 1.04),
    Bar("compute", "cpu_rounds_s", "raylm1", "single", 1.04),
    Bar("compute", "cpu_rounds_s", "raylm2", "single", 1.04),
    Bar("compute", "cpu_rounds_s", "raylm3", "single", 1.06),
    Bar("compute", "wall_rounds_s", "raylm1", "pair", 1.02),
    Bar("compute", "wall_rounds_s", "raylm2", "pair", 1.02),
    Bar("compute", "wall_rounds_s", "raylm3", "deepspeed3strict", 0.80),
    Bar("comm", "wall_rounds_s", "raylm3", "deepspeed3strict", 0.60),
    Bar("comm", "wall_rounds_s", "raylm3", "fsdp2", 0.80),
)
