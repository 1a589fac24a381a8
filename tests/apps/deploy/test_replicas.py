"""Replicas that come, go and are killed while clients stream: two of a tiny model, real Ray and
HAProxy. Each test leaves two behind."""

import asyncio
import re
import secrets
import signal
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import orjson
import psutil
import pytest

from tests.apps.deploy.conftest import Serve
from tests.tiny_model import write_tiny_model

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]

KEY = {"authorization": "Bearer a-secret"}
BLOCK_TOKENS = 16
REPLICA_PORTS = range(30_000, 31_000)
NOTICED_WITHIN_S = 2.0
OPTIONS = {
    "name": "tiny",
    "quantization": "none",
    "threads": 1,
    "min_replicas": 2,
    "max_replicas": 3,
    "target_queue": 4,
    "upscale_delay_s": 1,
    "downscale_delay_s": 2,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return [str(write_tiny_model(folder / f"tiny-{seed}", seed=seed)) for seed in (1, 2)]


@pytest.fixture(scope="module")
def serve(models, tmp_path_factory):
    options = [word for k, v in OPTIONS.items() for word in ("--set", f"serve.{k}={v}")]
    log = tmp_path_factory.mktemp("serve") / "log"
    running = Serve(log, "--model", models[0], *options, RAYLM_ADMIN_KEY="a-secret")
    try:
        running.wait_for("RayLM is ready")
        yield running
    finally:
        running.end()


@pytest.fixture
async def client(serve):
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=serve.url, timeout=60, limits=limits) as client:
        yield client


def replicas(serve):
    """Port -> process of each replica that listens."""
    found = {}
    for process in serve.family():
        try:
            if "ServeReplica:engine" not in " ".join(process.cmdline()):
                continue
            for connection in process.net_connections("tcp"):
                if connection.status == "LISTEN" and connection.laddr.port in REPLICA_PORTS:
                    found[connection.laddr.port] = process
        except psutil.Error:
            continue
    return found


async def until_there_are(serve, count, seconds=120):
    async with asyncio.timeout(seconds):
        while len(await asyncio.to_thread(replicas, serve)) != count:
            await asyncio.sleep(0.3)


def body(said, **options):
    messages = [{"role": "user", "content": said}]
    return {"model": "tiny", "messages": messages, "max_tokens": 8, "ignore_eos": True, **options}


async def stream(client, said, on_first=lambda: None, **options):
    """The number of tokens. Raises what a client would see of a failure."""
    asked = body(said, stream=True, stream_options={"include_usage": True}, **options)
    chunks, text = [], b""
    async with client.stream("POST", "/v1/chat/completions", json=asked) as reply:
        assert reply.status_code == 200, (await reply.aread(), reply.headers)
        async for part in reply.aiter_raw():
            text += part
            *events, text = text.split(b"\n\n")
            for event in events:
                if event == b"data: [DONE]":
                    return chunks[-1]["usage"]["completion_tokens"]
                chunks.append(orjson.loads(event.removeprefix(b"data: ")))
                assert "error" not in chunks[-1], chunks[-1]
                on_first()
    raise AssertionError(f"the stream broke off after {len(chunks)} chunks")


@asynccontextmanager
async def load(client, workers, **options):
    """So many clients, each with one stream after the other; none may fail."""
    streams = Counter()
    stop = asyncio.Event()

    async def work(worker):
        while not stop.is_set():
            await stream(client, f"{worker}: {streams[worker]}", **options)
            streams[worker] += 1

    async with asyncio.TaskGroup() as group:
        for worker in range(workers):
            group.create_task(work(worker))
        try:
            yield streams
        finally:
            stop.set()
    assert len(streams) == workers


async def served_by(serve, client):
    """Port -> requests answered so far."""
    counted = {}
    for port in replicas(serve):
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        values = re.findall(r"first_token_seconds_count\{[^}]*\} (\S+)", text)
        counted[port] = sum(map(float, values))
    return counted


async def home_of(serve, client, said):
    """The port of the replica a chat that begins so is sent to."""
    before = await served_by(serve, client)
    await stream(client, said)
    after = await served_by(serve, client)
    (port,) = [port for port in after if after[port] > before[port]]
    return port


async def homes(serve, client):
    """For each of two replicas, the beginnings of chats that go to it."""
    await until_there_are(serve, 2)
    used = set()
    while len(used) < 2:  # a new replica is used once HAProxy has seen it well
        used.add(await home_of(serve, client, f"warm up {secrets.token_hex(4)}"))
    found = {}
    for number in range(12):
        said = f"chat {number}"
        found.setdefault(await home_of(serve, client, said), []).append(said)
    assert len(found) == 2, f"all chats went to {list(found)}"
    return found


async def test_the_turns_of_a_chat_meet_in_one_replica(serve, client):
    for port, beginnings in (await homes(serve, client)).items():
        before = await served_by(serve, client)
        for said in beginnings:
            messages = [{"role": "user", "content": said}]
            for _ in range(3):
                asked = body("") | {"messages": messages}
                answer = (await client.post("/v1/chat/completions", json=asked)).json()
                cached = answer["usage"]["prompt_tokens_details"]["cached_tokens"]
                more = {"role": "user", "content": "Go on."}
                messages += [answer["choices"][0]["message"], more]
            assert cached >= BLOCK_TOKENS
        after = await served_by(serve, client)
        assert {p: after[p] - before[p] for p in after if after[p] > before[p]} == {
            port: 3 * len(beginnings)
        }


async def test_a_session_keeps_to_one_replica_whatever_it_says(serve, client):
    before = await served_by(serve, client)
    for number in range(6):
        asked = {"model": "tiny", "prompt": [number, 5, 6], "max_tokens": 2}
        await client.post("/v1/completions", json=asked, headers={"x-session-id": "ann"})
    after = await served_by(serve, client)
    assert sorted(after[port] - before[port] for port in after) == [0, 6]


async def test_admins_change_every_replica_under_load(serve, client, models):
    async with load(client, 4, max_tokens=40):
        for _ in range(2):  # the second time loads the same path anew
            update = await client.post(
                "/v1/models/tiny/update", json={"model": models[1]}, headers=KEY
            )
            assert update.status_code == 200
        new = {"model": models[0], "name": "other", "quantization": "none", "threads": 1}
        assert (await client.post("/v1/models", json=new, headers=KEY)).status_code == 201
        said = Counter()
        for number in range(6):  # whichever replica is asked
            asked = body(f"{number}", model="other", temperature=0)
            said[(await client.post("/v1/chat/completions", json=asked)).status_code] += 1
        assert said == {200: 6}
        assert (await client.delete("/v1/models/other", headers=KEY)).status_code == 200
    await asyncio.sleep(1)
    for port in replicas(serve):
        health = (await client.get(f"http://127.0.0.1:{port}/health")).json()
        assert health["models"] == ["tiny"]
        assert health["running"] == health["waiting"] == 0


async def test_a_killed_replicas_streams_are_retried_unseen_or_end_at_once(serve, client):
    ((port, beginnings), *_) = (await homes(serve, client)).items()
    victim = replicas(serve)[port]
    speaking = asyncio.Event()
    long = asyncio.create_task(stream(client, beginnings[0], speaking.set, max_tokens=4000))
    await asyncio.wait_for(speaking.wait(), 20)
    victim.send_signal(signal.SIGSTOP)  # what is sent to it now waits for its first token
    asked = [asyncio.create_task(stream(client, said)) for said in beginnings * 3]
    await asyncio.sleep(1)
    waiting = [task for task in asked if not task.done()]
    assert waiting
    victim.kill()
    killed = asyncio.get_running_loop().time()
    with pytest.raises(httpx.RemoteProtocolError):
        await long
    assert asyncio.get_running_loop().time() - killed < NOTICED_WITHIN_S
    assert await asyncio.gather(*asked) == [8] * len(asked)
    await until_there_are(serve, 2)


async def test_replicas_come_with_the_queue_and_go_without_cutting_a_stream(serve, client):
    async with load(client, 2, max_tokens=200) as few:
        async with load(client, 12, max_tokens=60):
            await until_there_are(serve, 3)
        before = sum(few.values())
        await until_there_are(serve, 2)
        assert sum(few.values()) > before
