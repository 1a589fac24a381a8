import asyncio
from typing import Any

import pytest
from starlette.types import Message

from raylm_apps.gateway.inbound.event_writer import EventWriter

PING = b": ping\n\n"


class Client:
    """Takes messages, as fast as it reads."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def take(self, message: Message) -> None:
        await self.reads.wait()
        self.messages.append(dict(message))

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.messages if "body" in message]


@pytest.fixture
def client() -> Client:
    return Client()


def writer_to(client: Client, every_s: float = 0.05) -> EventWriter:
    return EventWriter(client.take, PING, every_s)


async def test_a_silence_is_filled_and_then_the_answer_goes_on(client: Client) -> None:
    writer = writer_to(client)
    await writer.write(b"one")
    await asyncio.sleep(0.13)
    await writer.write(b"two", more=False)
    writer.close()
    assert client.bodies == [b"one", PING, PING, b"two"]
    assert [message["type"] for message in client.messages].count("http.response.start") == 1


async def test_who_talks_on_is_not_interrupted(client: Client) -> None:
    writer = writer_to(client)
    for _ in range(10):
        await writer.write(b"word")
        await asyncio.sleep(0.02)
    writer.close()
    assert client.bodies == [b"word"] * 10


async def test_a_ping_begins_the_stream(client: Client) -> None:
    """Headers that are known afterwards come too late."""
    writer = writer_to(client)
    await asyncio.sleep(0.08)
    assert writer.has_begun
    writer.add_headers({"x-raylm-model": "m"})
    await writer.write(b"one")
    writer.close()
    assert client.messages[0]["status"] == 200
    assert b"x-raylm-model" not in dict(client.messages[0]["headers"])
    assert client.bodies == [PING, b"one"]


async def test_headers_come_with_the_first_event(client: Client) -> None:
    writer = writer_to(client)
    writer.add_headers({"x-raylm-model": "m"})
    await writer.write(b"one")
    writer.close()
    headers = dict(client.messages[0]["headers"])
    assert headers[b"x-raylm-model"] == b"m"
    assert headers[b"content-type"].startswith(b"text/event-stream")


async def test_a_reader_that_is_slow_gets_no_pings(client: Client) -> None:
    writer = writer_to(client)
    await writer.write(b"one")
    client.reads.clear()
    writing = asyncio.create_task(writer.write(b"two"))
    await asyncio.sleep(0.18)
    client.reads.set()
    await writing
    writer.close()
    assert client.bodies == [b"one", b"two"]


async def test_an_event_waits_for_a_ping_that_is_on_its_way(client: Client) -> None:
    writer = writer_to(client)
    await writer.write(b"one")
    client.reads.clear()
    await asyncio.sleep(0.08)
    writing = asyncio.create_task(writer.write(b"two"))
    await asyncio.sleep(0)
    client.reads.set()
    await writing
    writer.close()
    assert client.bodies == [b"one", PING, b"two"]


async def test_nothing_is_said_after_the_end(client: Client) -> None:
    writer = writer_to(client)
    await writer.write(b"one", more=False)
    writer.close()
    await asyncio.sleep(0.12)
    assert client.bodies == [b"one"]
