"""What an epoch change costs the controller: ten thousand simulated workers, real control plane.

python -m benchmarks.elastic.control_plane [--members 10000] [--failures 100]
"""

import argparse
import resource
import statistics
import time
from collections.abc import Sequence
from typing import Any, cast

from raylm.core.schema import Elastic
from raylm.runtime.controller import Controller
from raylm.runtime.crew import Crew
from raylm.runtime.membership import Membership
from raylm.runtime.nodes import Nodes
from raylm.runtime.rendezvous import Rendezvous
from raylm.testing.simulated_crew import SimulatedCrew

EPOCH_BAR_S, MEMORY_BAR_BYTES = 1.0, 10**9


class NoNodes(Nodes):
    """A cluster to which none is added, and from which none goes."""

    def __init__(self) -> None:
        self.draining = frozenset()

    def added(self) -> dict[str, float]:
        return {}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=10_000)
    parser.add_argument("--failures", type=int, default=100)
    options = parser.parse_args(arguments)
    seconds = epoch_changes(options.members, options.failures)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    median, longest = statistics.median(seconds), max(seconds)
    print(f"{options.members} members, {options.failures} failures, two epoch changes after each:")
    print(
        f"controller CPU median {median:.2f} s, longest {longest:.2f} s (bar {EPOCH_BAR_S:g}): "
        f"{_verdict(longest <= EPOCH_BAR_S)}"
    )
    print(f"memory {peak_bytes / 1e9:.2f} GB (bar 1): {_verdict(peak_bytes <= MEMORY_BAR_BYTES)}")


def epoch_changes(count: int, failures: int) -> list[float]:
    """CPU seconds of each: one without the lost member, and one with another in its place."""
    crew = cast(Crew, SimulatedCrew())
    elastic = Elastic(min=1)
    members = Membership(crew, Rendezvous("127.0.0.1", 30.0), elastic.heartbeat_s, _ignore)
    controller = Controller(crew, members, NoNodes(), count, elastic, _ignore)
    members.start(count, count)
    members.meet()
    controller.start()
    controller.step(None)
    seconds = []
    for failure in range(failures):
        members.living[failure * count // failures].actor.is_dead = True
        for size in (count - 1, count):
            began = time.process_time()
            controller.step(None)
            seconds.append(time.process_time() - began)
            assert len(members.living) == size
    members.close()
    return seconds


def _ignore(event: str, **fields: Any) -> None: ...


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
