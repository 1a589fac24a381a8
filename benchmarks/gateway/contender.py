"""Who relays: an address that speaks OpenAI's format, and what its process takes for that."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psutil

MESSAGES = [{"role": "user", "content": "How soon do you answer?"}]


@dataclass
class Contender:
    """`process` is the relay's own; None for the upstream asked directly."""

    name: str
    url: str
    process: psutil.Process | None
    model: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, model: str, **more: Any) -> dict[str, Any]:
        named = self.model.format(model)
        return {"model": named, "stream": True, "messages": MESSAGES, **more}

    def cpu_s(self) -> float:
        if self.process is None:
            return 0.0
        times = self.process.cpu_times()
        return float(times.user + times.system)

    async def ask(
        self, client: aiohttp.ClientSession, model: str, delay_s: float = 0.0
    ) -> tuple[float, bytes]:
        """Milliseconds to the first piece, and everything."""
        await asyncio.sleep(delay_s)
        started, first, seen = time.perf_counter(), 0.0, b""
        url = f"{self.url}/chat/completions"
        async with client.post(url, json=self.body(model), headers=self.headers) as response:
            assert response.status == 200, await response.text()
            async for piece in response.content.iter_any():
                first = first or 1000 * (time.perf_counter() - started)
                seen += piece
        assert seen.endswith(b"data: [DONE]\n\n"), seen[-200:]
        return first, seen

    async def wait(self, client: aiohttp.ClientSession) -> None:
        """Until it answers."""
        while True:
            try:
                await self.ask(client, "fake")
            except (aiohttp.ClientError, AssertionError):
                await asyncio.sleep(0.1)
            else:
                return


def client_of_many() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
