"""How many cores other programs kept busy during a run: what makes its wall times worthless."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ForeignLoad:
    """Opened before the children start, read after they were waited for."""

    wall_s: float
    busy_s: float
    own_s: float

    @classmethod
    def open(cls) -> Self:
        return cls(time.monotonic(), _busy_s(), _own_s())

    def cores(self) -> float:
        now = self.open()
        foreign_s = (now.busy_s - self.busy_s) - (now.own_s - self.own_s)
        return max(0.0, foreign_s / (now.wall_s - self.wall_s))


def _busy_s() -> float:
    """CPU seconds of the whole machine since its start, with what its host took away (steal)."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


def _own_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
