"""Streams through the whole path (session, PostgreSQL, Redis log) on one uvicorn worker.

    python -m benchmarks.gateway.streams [--only NAME ...] [--soak REQUESTS]

`small`: streams of ten words a second, 32 clients, and the gateway's CPU for each.
`chunks`: the gateway's CPU for a chunk, 100 streams of ten words a second.
`first_token`: what it adds at 1, 32 and 128 open streams (OpenAI adapter over HTTP, twenty words
in two seconds), beside one durable commit; new streams come evenly, as old ones end.
`open`: a thousand slow streams at once: memory, and whether every one ends whole.
`soak`: memory after a tenth of so many requests, and after all.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median, quantiles

import aiohttp

from benchmarks.gateway.rig import Rig, commits_ms, guest, question, rig

CLIENTS, SMALL_S, WARM_UP_S = 32, 10.0, 3.0
TEN_WORDS = "one two three four five six seven eight nine ten"
FIRST_TOKEN_BARS_MS = {1: 4, 32: 25, 128: 80}
STREAM_S, SAMPLES = 2.0, {1: 20, 32: 120, 128: 250}
PACED_STREAMS = 100
OPEN, USERS, OPEN_WITHIN_S = 1_000, 125, 10.0
SLOW_WORDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    parser.add_argument("--soak", type=int, metavar="REQUESTS")
    given = parser.parse_args()
    with rig() as running:
        asyncio.run(measure(running, given.only, given.soak))


async def measure(running: Rig, names: list[str], soak_requests: int | None) -> None:
    await running.wait()
    for name in names:
        await MEASURES[name](running)
    if soak_requests:
        await soak(running, soak_requests)


async def small(running: Rig) -> None:
    clients = [await guest(running.gateway_url) for _ in range(CLIENTS)]
    await _ask_for(clients, running, WARM_UP_S)
    cpu_s, started = running.cpu_s(), time.perf_counter()
    count = await _ask_for(clients, running, SMALL_S)
    seconds = time.perf_counter() - started
    cpu_s = running.cpu_s() - cpu_s
    _print("small streams/s, 32 clients", f"{count / seconds:.0f}", "bar 400")
    _print("  CPU of the gateway", f"{cpu_s / seconds:.2f}", "of one core")
    _print("  CPU of a stream of ten words", f"{1000 * cpu_s / count:.2f} ms", "")
    await _close(clients)


async def chunks(running: Rig) -> None:
    """In the midst of the streams: neither their beginnings nor their ends."""
    clients = [await guest(running.gateway_url) for _ in range(PACED_STREAMS)]
    reading = [asyncio.create_task(_ask(client, running, "mock/slow")) for client in clients]
    await asyncio.sleep(3)
    cpu_s, started = running.cpu_s(), time.perf_counter()
    await asyncio.sleep(4)
    cpu_s, seconds = running.cpu_s() - cpu_s, time.perf_counter() - started
    bodies = await asyncio.gather(*reading)
    assert all(body.count(b"text-delta") == SLOW_WORDS for body in bodies)
    count = PACED_STREAMS * 10 * seconds
    _print("CPU of a chunk, 100 paced streams", f"{1e6 * cpu_s / count:.0f} us", "bar 150")
    await _close(clients)


async def first_token(running: Rig) -> None:
    commit_ms = median(await commits_ms(running.database_url))
    _print("one durable commit, p50", f"{commit_ms:.2f} ms", "")
    for streams, bar_ms in FIRST_TOKEN_BARS_MS.items():
        direct = await _first_tokens(running, streams, direct=True)
        through = await _first_tokens(running, streams, direct=False)
        added = median(through) - median(direct)
        name = f"added to the first token, {streams} open"
        _print(f"{name}, p50", f"{added:.1f} ms", f"bar {bar_ms} and the commit")
        _print("  through the gateway, p90", f"{quantiles(through, n=10)[-1]:.1f} ms", "")


async def _first_tokens(running: Rig, streams: int, *, direct: bool) -> list[float]:
    """Milliseconds, of the streams that begin while so many others are open."""
    clients = [await guest(running.gateway_url) for _ in range(streams)]
    pause_s = STREAM_S / streams
    tasks = []
    for number in range(2 * streams + SAMPLES[streams]):
        client = clients[number % streams]
        tasks.append(asyncio.create_task(running.first_token_s(client, "paced", direct=direct)))
        await asyncio.sleep(pause_s)
    seconds = await asyncio.gather(*tasks)
    await _close(clients)
    return [1000 * value for value in seconds[2 * streams :]]


async def open_streams(running: Rig) -> None:
    clients = [await guest(running.gateway_url) for _ in range(USERS)]
    before_mb, peak_mb, most_open = running.resident_mb(), 0.0, 0
    reading = []
    for number in range(OPEN):
        client = clients[number % USERS]
        reading.append(asyncio.create_task(_ask(client, running, "mock/slow")))
        await asyncio.sleep(OPEN_WITHIN_S / OPEN / 2)
    started = time.perf_counter()
    while not all(task.done() for task in reading):
        most_open = max(most_open, sum(not task.done() for task in reading))
        peak_mb = max(peak_mb, running.resident_mb())
        await asyncio.sleep(0.2)
    bodies = await asyncio.gather(*reading)
    whole = sum(
        body.count(b"text-delta") == SLOW_WORDS and body.endswith(b"data: [DONE]\n\n")
        for body in bodies
    )
    _print("open slow streams", f"{most_open}", f"of {OPEN}")
    _print("  resident memory", f"{peak_mb:.0f} MB", f"bar 400; before {before_mb:.0f}")
    _print(
        "  ended whole", f"{whole}", f"of {OPEN}; the last {time.perf_counter() - started:.1f} s"
    )
    await _close(clients)


async def soak(running: Rig, requests: int) -> None:
    clients = [await guest(running.gateway_url) for _ in range(CLIENTS)]
    await _ask_times(clients, running, requests // 10)
    early_mb = running.resident_mb()
    await _ask_times(clients, running, requests - requests // 10)
    late_mb = running.resident_mb()
    growth = 100 * (late_mb / early_mb - 1)
    _print(f"memory over {requests:,} requests", f"{growth:+.1f} %", "bar 5")
    _print("  from, to", f"{early_mb:.0f}, {late_mb:.0f} MB", "")
    await _close(clients)


MEASURES: dict[str, Callable[[Rig], Awaitable[None]]] = {
    "small": small,
    "chunks": chunks,
    "first_token": first_token,
    "open": open_streams,
}


async def _ask(client: aiohttp.ClientSession, running: Rig, model: str) -> bytes:
    body = question(model, TEN_WORDS)
    async with client.post(f"{running.gateway_url}/api/chat", json=body) as response:
        assert response.status == 200, await response.text()
        return await response.read()


async def _ask_for(clients: list[aiohttp.ClientSession], running: Rig, seconds: float) -> int:
    end = time.perf_counter() + seconds

    async def ask_on(client: aiohttp.ClientSession) -> int:
        count = 0
        while time.perf_counter() < end:
            assert (await _ask(client, running, "mock/echo")).endswith(b"data: [DONE]\n\n")
            count += 1
        return count

    return sum(await asyncio.gather(*map(ask_on, clients)))


async def _ask_times(clients: list[aiohttp.ClientSession], running: Rig, requests: int) -> None:
    async def ask_on(client: aiohttp.ClientSession) -> None:
        for _ in range(requests // len(clients)):
            await _ask(client, running, "mock/echo")

    await asyncio.gather(*map(ask_on, clients))


async def _close(clients: list[aiohttp.ClientSession]) -> None:
    for client in clients:
        await client.close()


def _print(name: str, figure: str, note: str) -> None:
    print(f"{name:44} {figure:>12}   {note}", flush=True)


if __name__ == "__main__":
    main()
