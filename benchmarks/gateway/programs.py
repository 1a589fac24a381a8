"""Accounts with an API key each, whose programs ask at `/v1`."""

import asyncio
import uuid
from dataclasses import dataclass

import aiohttp

from benchmarks.gateway.contender import Contender
from benchmarks.gateway.rig import Rig


@dataclass
class Program:
    contender: Contender
    key_id: str
    account: aiohttp.ClientSession

    async def limit(self, **most: int) -> None:
        """A budget of its key."""
        change = {"budget": {"period": "total", **most}}
        async with self.account.patch(f"/api/keys/{self.key_id}", json=change) as answer:
            assert answer.status == 200, await answer.text()

    async def spent(self) -> dict[str, int]:
        """By the ledger, once nothing is on its way there any more."""
        before: dict[str, int] = {}
        while True:
            async with self.account.get("/api/usage") as answer:
                rows = (await answer.json())["usage"]
            spent = {
                "requests": sum(row["requests"] for row in rows),
                "tokens": sum(row["inputTokens"] + row["outputTokens"] for row in rows),
            }
            if spent == before:
                return spent
            before = spent
            await asyncio.sleep(1)

    async def close(self) -> None:
        await self.account.close()


async def new_program(running: Rig) -> Program:
    account = aiohttp.ClientSession(running.gateway_url, cookie_jar=aiohttp.CookieJar(unsafe=True))
    person = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    async with account.post("/api/auth/register", json=person) as answer:
        assert answer.status == 200, await answer.text()
    async with account.post("/api/keys", json={"name": "it"}) as answer:
        made = await answer.json()
    headers = {"authorization": f"Bearer {made['key']}"}
    url = f"{running.gateway_url}/v1"
    contender = Contender("with a key", url, running.gateway, "openai/{}", headers)
    return Program(contender, made["id"], account)
