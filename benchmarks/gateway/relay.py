"""What `/v1` costs beside the least that a relay in Python can be, in turns of one run.

LiteLLM's proxy takes part where RAYLM_LITELLM names its program (`litellm[proxy]`).

    python -m benchmarks.gateway.relay [--seconds 5] [--rounds 3] [--only NAME ...] [--soak COUNT]

`small`: streams of ten chunks a second, 32 clients. `paced`: 100 chunks, one every 10 ms, to 1, 32
and 128 streams at once: what is added to the first token, and the relay's CPU for a chunk.
`ray_serve`: the small streams on Ray Serve behind HAProxy. `budgets`: what is spent beyond a budget
that 200 clients exhaust at once. `soak`: memory after 5,000 requests, and after so many more.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.gateway.contender import Contender, client_of_many
from benchmarks.gateway.overshoot import overshoot
from benchmarks.gateway.programs import new_program
from benchmarks.gateway.ray_serve import on_ray_serve
from benchmarks.gateway.relays import bare_relay, litellm
from benchmarks.gateway.rig import Rig, rig

CLIENTS = 32
STREAMS = (1, 32, 128)
SAMPLES_ALONE = 10  # in each round, of one stream after the other
ADDED_BARS_MS = {1: 3, 32: 15, 128: 50}
P99_BAR, RAY_SERVE_BAR, SOAK_BAR_PERCENT = 1.2, 0.65, 5
WARM_UP_REQUESTS = 5_000


@dataclass
class Field:
    """Who takes part; the first contender is the bare relay, whom all are compared with."""

    running: Rig
    contenders: list[Contender]
    seconds: float
    rounds: int
    streams: list[int]

    @property
    def direct(self) -> Contender:
        return Contender("direct", self.running.provider_url, None)

    def named(self, name: str) -> Contender:
        return next(one for one in self.contenders if one.name == name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--streams", nargs="+", type=int, choices=STREAMS, default=list(STREAMS))
    parser.add_argument("--soak", type=int, metavar="REQUESTS")
    given = parser.parse_args()
    with (
        rig(RAYLM_V1_ACCESS="anyone") as running,
        bare_relay(running) as bare,
        litellm(running) as peers,
    ):
        field = Field(running, [bare, *peers], given.seconds, given.rounds, given.streams)
        asyncio.run(measure(field, given.only, given.soak))


async def measure(field: Field, names: list[str], soak_requests: int | None) -> None:
    await field.running.wait()
    program = await new_program(field.running)
    url = f"{field.running.gateway_url}/v1"
    field.contenders.append(Contender("open", url, field.running.gateway, "openai/{}"))
    field.contenders.append(program.contender)
    async with client_of_many() as client:
        for one in field.contenders:
            await one.wait(client)
    for name in names:
        await MEASURES[name](field)
    if soak_requests:
        await soak(field, soak_requests)
    await program.close()


async def small(field: Field) -> None:
    await _small(field, field.contenders)


async def ray_serve(field: Field) -> None:
    """Beside one worker of uvicorn, while all of Ray runs."""
    with on_ray_serve(field.running) as served:
        await _small(field, [field.named("open"), served])
    print(f"{'':32} bar {RAY_SERVE_BAR} x", flush=True)


async def _small(field: Field, contenders: list[Contender]) -> None:
    """Each beside the first."""
    rates: dict[str, list[float]] = {one.name: [] for one in contenders}
    cpu_ms: dict[str, list[float]] = {one.name: [] for one in contenders}
    for one in contenders:
        await _rate(one, 2)
    for _ in range(field.rounds):
        for one in contenders:
            before = one.cpu_s()
            rate = await _rate(one, field.seconds)
            rates[one.name].append(rate)
            cpu_ms[one.name].append(1000 * (one.cpu_s() - before) / (rate * field.seconds))
    first = contenders[0].name
    for name, found in rates.items():
        ratio = median(value / of for value, of in zip(found, rates[first], strict=True))
        print(
            f"small streams/s, 32 clients, {name:12} {median(found):7.0f}  {ratio:5.2f} x {first}"
            f"   CPU {median(cpu_ms[name]):.2f} ms each",
            flush=True,
        )


async def paced(field: Field) -> None:
    for streams in field.streams:
        rounds = [
            {one.name: await _paced(one, streams) for one in (field.direct, *field.contenders)}
            for _ in range(field.rounds)
        ]
        firsts = {
            name: [first for round_ in rounds for first in round_[name][0]] for name in rounds[0]
        }
        bare_p99 = _p99(firsts["bare relay"])
        for one in field.contenders:
            added = median(firsts[one.name]) - median(firsts["direct"])
            chunk_us = median(round_[one.name][1] for round_ in rounds)
            p99 = _p99(firsts[one.name])
            print(
                f"{streams:4} streams, {one.name:12} first token +{added:6.1f}"
                f" ms (bar {ADDED_BARS_MS[streams]}), p99 {p99:7.1f} ms,"
                f" {p99 / bare_p99:5.2f} x bare (bar {P99_BAR}), CPU of a chunk {chunk_us:5.0f} us",
                flush=True,
            )


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[-1]


async def _paced(one: Contender, streams: int) -> tuple[list[float], float]:
    """Milliseconds to each first token, and microseconds of CPU for a chunk."""
    times = SAMPLES_ALONE if streams == 1 else 1
    firsts: list[float] = []
    async with client_of_many() as client:
        before = one.cpu_s()
        for _ in range(times):
            delays_s = [number / streams for number in range(streams)]
            found = await asyncio.gather(
                *(one.ask(client, "chunks", delay_s) for delay_s in delays_s)
            )
            firsts += [first for first, _ in found]
        return firsts, 1e6 * (one.cpu_s() - before) / (100 * streams * times)


async def _rate(one: Contender, seconds: float) -> float:
    async with client_of_many() as client:
        end = time.perf_counter() + seconds

        async def ask_on() -> int:
            count = 0
            while time.perf_counter() < end:
                await one.ask(client, "fake")
                count += 1
            return count

        return sum(await asyncio.gather(*(ask_on() for _ in range(CLIENTS)))) / seconds


async def soak(field: Field, requests: int) -> None:
    """With a key, whose requests take the longest way."""
    one = field.named("with a key")
    await _ask_times(one, WARM_UP_REQUESTS)
    early_mb = field.running.resident_mb()
    await _ask_times(one, requests)
    late_mb = field.running.resident_mb()
    print(
        f"memory over {requests:,} requests: {early_mb:.0f} to {late_mb:.0f} MB,"
        f" {100 * (late_mb / early_mb - 1):+.1f} % (bar {SOAK_BAR_PERCENT})",
        flush=True,
    )


async def _ask_times(one: Contender, requests: int) -> None:
    async with client_of_many() as client:

        async def ask_on() -> None:
            for _ in range(requests // CLIENTS):
                await one.ask(client, "fake")

        await asyncio.gather(*(ask_on() for _ in range(CLIENTS)))


async def budgets(field: Field) -> None:
    await overshoot(field.running)


MEASURES: dict[str, Callable[[Field], Awaitable[None]]] = {
    "small": small,
    "paced": paced,
    "ray_serve": ray_serve,
    "budgets": budgets,
}

if __name__ == "__main__":
    main()
