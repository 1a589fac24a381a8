"""Whether a budget is exceeded where 200 programs reach its limit at the same moment."""

import asyncio

import aiohttp

from benchmarks.gateway.contender import Contender
from benchmarks.gateway.programs import Program, new_program
from benchmarks.gateway.rig import Rig

CLIENTS = 200
ANSWER_TOKENS = 10
USED_TOKENS = 13  # an answer of the fake provider: 3 of input, 10 of output
LIMITS = {"requests": 1_000, "tokens": 13_000}


async def overshoot(running: Rig) -> None:
    for kind, most in LIMITS.items():
        program = await new_program(running)
        await program.limit(**{kind: most})
        answered = await _ask_until_refused(program)
        spent = await program.spent()
        told = {"requests": answered, "tokens": USED_TOKENS * answered}
        assert spent == told, f"the ledger has {spent}, the clients {told}"
        print(
            f"budget of {most:,} {kind}, {CLIENTS} clients: {spent[kind]:,} used,"
            f" {max(spent[kind] - most, 0)} beyond it (bar 0)",
            flush=True,
        )
        await program.close()


async def _ask_until_refused(program: Program) -> int:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:

        async def ask_on() -> int:
            count = 0
            while await _is_answered(client, program.contender):
                count += 1
            return count

        return sum(await asyncio.gather(*(ask_on() for _ in range(CLIENTS))))


async def _is_answered(client: aiohttp.ClientSession, one: Contender) -> bool:
    body = one.body("fake", max_tokens=ANSWER_TOKENS)
    url = f"{one.url}/chat/completions"
    async with client.post(url, json=body, headers=one.headers) as response:
        await response.read()
        assert response.status in (200, 429), await response.text()
        return response.status == 200
