"""What RayLM's ZeRO has to reach beside its peers, as ratios taken in one run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.train.standing import Standing


@dataclass(frozen=True)
class Bar:
    """`mode` costs at most `limit` times what `peer` costs, on the shape named."""

    shape: Literal["compute", "comm"]
    quantity: Literal["cpu_s", "wall_s"]
    mode: str
    peer: str
    limit: float

    def ratio(self, standings: Mapping[str, Standing]) -> float | None:
        """None where one of the two was not measured."""
        if self.mode not in standings or self.peer not in standings:
            return None
        mine, theirs = (getattr(standings[name], self.quantity) for name in (self.mode, self.peer))
        return float(mine / theirs)

    def verdict(self, standings: Mapping[str, Standing]) -> str:
        ratio = self.ratio(standings)
        if ratio is None:
            return "not measured"
        return "pass" if ratio <= self.limit else "miss"

    def __str__(self) -> str:
        clock = {"cpu_s": "CPU", "wall_s": "wall"}[self.quantity]
        return f"{clock} of {self.mode} <= {self.limit:.2f}x {self.peer}"


BARS = (
    Bar("compute", "cpu_s", "raylm0", "single", 1.04),
    Bar("compute", "cpu_s", "raylm1", "single", 1.04),
    Bar("compute", "cpu_s", "raylm2", "single", 1.04),
    Bar("compute", "cpu_s", "raylm3", "single", 1.06),
    Bar("compute", "wall_s", "raylm1", "pair", 1.02),
    Bar("compute", "wall_s", "raylm2", "pair", 1.02),
    Bar("compute", "wall_s", "raylm3", "deepspeed3strict", 0.80),
    Bar("comm", "wall_s", "raylm3", "deepspeed3strict", 0.60),
    Bar("comm", "wall_s", "raylm3", "fsdp2", 0.80),
)
