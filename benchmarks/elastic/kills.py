"""What a killed worker costs: in every moment of its work, at every stage and world size.

    python -m benchmarks.elastic.kills [--worlds 2 3 4] [--stages 0 1 2 3]

A figure is the time from the SIGKILL to the next finished optimizer step of the survivors, less
the steps that were done again: at most two, of the length they have in the whole group, which is
shorter than on the survivors.
"""

import argparse
import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elastic.arena import Arena, arena
from raylm.runtime.session import ray_session
from raylm.testing.mortal_worker import Moment

IN_A_STEP = [m for m in Moment if m not in (Moment.JOIN, Moment.INHERIT, Moment.CHECKPOINT)]
BUCKETS = 3  # of the backward pass, each of which is a moment of its own
QUIET_STEPS = 2  # between two kills
HANGS = 3  # at each stage
MEDIAN_BAR_S, MAXIMUM_BAR_S = 0.5, 1.5
HEARTBEAT_S, HUNG_BAR_S = 5.0, 6.0


@dataclass(frozen=True, slots=True)
class Kill:
    what: str
    seconds: float
    steps_lost: int
    disk_reads: int  # bytes that survivors had to fetch from a disk


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 1, 2, 3])
    options = parser.parse_args(arguments)
    found: list[Kill] = []
    with ray_session(cpus=max(options.worlds) + 1):
        for world in options.worlds:
            for stage in options.stages:
                kills = [*kills_in_a_step(world, stage), *kills_of_two(world, stage)]
                print(f"world {world}, stage {stage}: {_summary(kills)}", flush=True)
                found += kills
        hung = [kill for stage in options.stages for kill in hangs(3, stage)]
    print()
    for moment, kills in _by_moment(found).items():
        print(f"{moment:>18}: {_summary(kills)}")
    print(f"{'all':>18}: {_summary(found)}")
    print(f"{'stopped (SIGSTOP)':>18}: {_summary(hung)}; the heartbeat limit is {HEARTBEAT_S:g} s")
    median = statistics.median(kill.seconds for kill in found)
    longest = max(kill.seconds for kill in found)
    print(f"median {median:.2f} s (bar {MEDIAN_BAR_S}): {_verdict(median <= MEDIAN_BAR_S)}")
    print(f"longest {longest:.2f} s (bar {MAXIMUM_BAR_S}): {_verdict(longest <= MAXIMUM_BAR_S)}")
    slowest = max(kill.seconds for kill in hung)
    print(f"stopped {slowest:.2f} s (bar {HUNG_BAR_S}): {_verdict(slowest <= HUNG_BAR_S)}")
    lost, reads = sum(k.steps_lost for k in found), sum(k.disk_reads for k in found)
    print(f"{len(found)} kills: {lost} steps lost, {reads} bytes read from disk (bar 0, 0)")


def kills_in_a_step(world: int, stage: int) -> list[Kill]:
    moments = [(moment, 0) for moment in IN_A_STEP]
    moments += [(Moment.BUCKET, bucket) for bucket in range(1, BUCKETS)]
    found = []
    with arena(world, 1000, zero__stage=stage) as ring:
        for number, (moment, after) in enumerate(moments):
            step_s = _rest(ring, world)
            stamp = ring.folder / f"stamp-{number}"
            ring.group.call("doom", number % world, moment, stamp, after)
            found.append(_await_death(ring, moment, [stamp], step_s))
    with arena(world, 1000, zero__stage=stage, checkpoint__every=4) as ring:
        step_s = _rest(ring, world)
        stamp = ring.folder / "stamp"
        ring.group.call("doom", world - 1, Moment.CHECKPOINT, stamp)
        found.append(_await_death(ring, Moment.CHECKPOINT, [stamp], step_s))
    return found


def kills_of_two(world: int, stage: int) -> list[Kill]:
    """The second one dies while the group recovers from the first."""
    found = []
    if world > 2:
        with arena(world, 1000, zero__stage=stage) as ring:
            for number, moment in enumerate((Moment.JOIN, Moment.INHERIT)):
                step_s = _rest(ring, world)
                first, second = (ring.folder / f"{n}-{number}" for n in ("first", "second"))
                ring.group.call("doom", 0, moment, second)
                ring.group.call("doom", world - 1, Moment.FORWARD, first)
                found.append(_await_death(ring, moment, [first, second], step_s))
    return found


def hangs(world: int, stage: int) -> list[Kill]:
    found = []
    with arena(world, 1000, zero__stage=stage, elastic__heartbeat_s=HEARTBEAT_S) as ring:
        for number in range(HANGS):
            step_s = _rest(ring, world)
            stamp = ring.folder / f"stamp-{number}"
            stamp.write_text(repr(time.time()), encoding="utf-8")
            os.kill(ring.pids[number % world], signal.SIGSTOP)
            found.append(_await_death(ring, "stopped", [stamp], step_s))
    return found


def _rest(ring: Arena, world: int) -> float:
    """Until all is as before; the seconds that a step takes."""
    ring.refill(world)
    next(ring.updates)  # the first one after a start makes buffers
    return statistics.median(next(ring.updates).step_seconds for _ in range(QUIET_STEPS))


def _await_death(ring: Arena, what: str, stamps: Sequence[Path], step_s: float) -> Kill:
    """Step until those who are doomed have died and the group has recovered."""
    recovered = len(ring.named("recovered"))
    reads = Counter({pid: _read_bytes(pid) for pid in ring.pids})
    expected = None
    while len(ring.named("recovered")) == recovered:
        update = next(ring.updates)
        assert expected in (None, update.step), "a step was lost"
        expected = update.step + 1
    finished = time.time()
    event = ring.named("recovered")[-1]
    dead_at = max(float(stamp.read_text(encoding="utf-8")) for stamp in stamps)
    again = min(2, event["steps_redone"]) * step_s
    return Kill(
        what=str(what),
        seconds=max(0.0, finished - dead_at - again),
        steps_lost=event["steps_lost"],
        disk_reads=sum(_read_bytes(pid) - reads[pid] for pid in ring.pids if pid in reads),
    )


def _read_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("read_bytes")).split()[1])


def _by_moment(kills: Sequence[Kill]) -> dict[str, list[Kill]]:
    return {what: [k for k in kills if k.what == what] for what in {k.what: None for k in kills}}


def _summary(kills: Sequence[Kill]) -> str:
    seconds = [kill.seconds for kill in kills]
    median, longest = statistics.median(seconds), max(seconds)
    reads = sum(kill.disk_reads for kill in kills)
    text = f"{len(kills)} kills, median {median:.2f} s, longest {longest:.2f} s"
    return f"{text}, {reads} bytes read from disk" if reads else text


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
