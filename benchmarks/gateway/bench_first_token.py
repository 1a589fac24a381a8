"""What the gateway adds to the first token: one stream at a time, direct and through it by turns.

The path is the whole one: session, PostgreSQL, Redis log, the OpenAI adapter over HTTP. The one
durable commit, which is the disk's price, is measured on the same database and shown separately.
"""

import asyncio
from statistics import median, quantiles

from benchmarks.gateway.rig import Rig, commits_ms, guest, rig

WARM_UP, ROUNDS = 30, 200


def main() -> None:
    with rig() as running:
        asyncio.run(compare(running))


async def compare(running: Rig) -> None:
    await running.wait()
    client = await guest(running.gateway_url)
    samples: list[list[float]] = [[], []]
    for number in range(WARM_UP + ROUNDS):
        for direct, kept in zip((True, False), samples, strict=True):
            seconds = await running.first_token_s(client, "fake", direct=direct)
            if number >= WARM_UP:
                kept.append(1000 * seconds)
    await client.close()
    report(*samples, await commits_ms(running.database_url))


def report(direct: list[float], gateway: list[float], commit: list[float]) -> None:
    print(f"{'first token, one stream':28} {'p50 ms':>8} {'p90 ms':>8}")
    rows = {"direct": direct, "through the gateway": gateway, "one durable commit": commit}
    for name, values in rows.items():
        print(f"{name:28} {median(values):8.2f} {quantiles(values, n=10)[-1]:8.2f}")
    added = median(gateway) - median(direct)
    print(f"{'added by the gateway':28} {added:8.2f}")
    print(f"{'  beside the commit':28} {added - median(commit):8.2f}   (bar: 10)")


if __name__ == "__main__":
    main()
