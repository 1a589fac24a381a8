"""What dies in the middle of an answer, and what is left of the answer."""

import contextlib
import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    disk_of,
    environment,
    eventually,
    new_id,
    parts_of,
    text_of,
)
from tests.processes import is_alive

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def mortal_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    stores = EmbeddedStores(tmp_path_factory.mktemp("mortal"))
    yield stores
    stores.stop()


@pytest.fixture(scope="module")
def urls(mortal_stores: EmbeddedStores) -> StoreUrls:
    return mortal_stores.start()


@pytest.fixture(scope="module")
def mortal(urls: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway whose stores and whose own process may be killed."""
    folder = tmp_path_factory.mktemp("mortal-gateway")
    settings = environment(urls, folder, RAYLM_DRAIN_S="0.2")
    with GatewayProcess(folder / "log", settings) as process:
        yield process


@pytest.fixture
def eve(mortal: GatewayProcess) -> User:
    return mortal.user()


def kill(stores: EmbeddedStores, name: str) -> None:
    pid = stores.pids[name]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))


def is_ready(user: User) -> bool:
    return user.http.get("/health/ready").json()["status"] == "ready"


def deltas(body: bytes) -> str:
    return "".join(part.get("delta", "") for part in parts_of(body))


def ask_and_lose(gateway: GatewayProcess, user: User, chat: str) -> bytes:
    """What a client has seen when the gateway is killed in the middle of its answer."""
    with user.asking("one two three four", chat=chat) as stream:
        seen = stream.read_until(b"text-delta", 5)
        gateway.kill()
    return seen[: seen.rindex(b"\n\n") + 2]


def test_kill_9_of_the_gateway_keeps_the_partial_answer(
    mortal: GatewayProcess, urls: StoreUrls, eve: User, chat: str
) -> None:
    seen = deltas(ask_and_lose(mortal, eve, chat))
    mortal.start()
    eventually(lambda: ending_in_redis(urls, chat) == b"interrupted")  # though nobody reads it
    question, answer = eve.messages(chat)
    assert text_of(question) == "one two three four"
    assert answer["metadata"]["status"] == "interrupted"
    assert text_of(answer).startswith(seen)
    assert eve.http.get(f"/api/chat/{chat}/stream").status_code == 204
    assert eve.ask("and now?", chat=chat).status_code == 200


def ending_in_redis(urls: StoreUrls, chat: str) -> bytes | None:
    with redis.Redis.from_url(urls.redis_url) as client:
        (stream,) = client.keys(f"stream:{chat}:*")
        ending: bytes | None = client.xrevrange(stream, count=1)[0][1].get(b"end")
    return ending


def test_without_its_stream_the_last_checkpoint_is_kept(
    mortal: GatewayProcess, urls: StoreUrls, eve: User, chat: str
) -> None:
    with eve.asking("one two three four", chat=chat) as stream:
        stream.read_until(b"text-delta", 4)
        stored = eventually(lambda: text_of(eve.answer(chat)))
        mortal.kill()
    with redis.Redis.from_url(urls.redis_url) as client:
        client.flushall()
    mortal.start()
    eventually(lambda: eve.answer(chat)["metadata"]["status"] == "interrupted")
    assert text_of(eve.answer(chat)).startswith(stored)


def test_shutdown_keeps_what_there_is(mortal: GatewayProcess, eve: User, chat: str) -> None:
    with eve.asking("one two three four", chat=chat) as stream:
        seen = deltas(stream.read_until(b"text-delta", 5))
    mortal.process.send_signal(signal.SIGTERM)
    assert mortal.process.wait(timeout=20) in (0, -signal.SIGTERM)
    mortal.start()
    answer = eve.answer(chat)
    assert answer["metadata"]["status"] == "interrupted"
    assert text_of(answer).startswith(seen)


def test_without_redis_chats_stream_and_nothing_resumes(
    mortal_stores: EmbeddedStores, eve: User, chat: str
) -> None:
    with eve.asking("one two three four", chat=chat) as stream:
        stream.read_until(b"text-delta", 2)
        kill(mortal_stores, "Valkey")
        stream.read_until(b"text-delta", 6)
        started = time.monotonic()
        assert eve.http.get(f"/api/chat/{chat}/stream").status_code == 204
        assert time.monotonic() - started < 0.2 + 2  # and what a busy machine adds
        ready = eve.http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["checks"]["redis"] == "down"
        assert eve.ask("whole", chat=chat + "-2").content.endswith(b"data: [DONE]\n\n")
        mortal_stores.revive()
        eventually(lambda: is_ready(eve))
        reopened = eventually(lambda: resumed_after(eve, chat))
        eve.http.post(f"/api/chat/{chat}/stop")
        assert stream.rest().startswith(reopened)
    assert text_of(eve.answer(chat)) == deltas(stream.body)


def resumed_after(user: User, chat: str) -> bytes:
    """The beginning of the active stream once Redis has it again, else nothing."""
    with user.resuming(chat) as stream:
        if stream.response.status_code == 204:
            return b""
        body = stream.read_until(b"text-delta", 6)
    return body[: body.rindex(b"\n\n") + 2]


def test_an_answer_outlives_an_outage_of_the_database(
    mortal_stores: EmbeddedStores, eve: User, chat: str
) -> None:
    with eve.asking("one two three four", chat=chat) as stream:
        stream.read_until(b"text-delta", 2)
        kill(mortal_stores, "PostgreSQL")
        for refused in (
            eve.http.get(f"/api/messages?chatId={chat}"),
            eve.http.get("/api/history"),
            eve.ask("not now", chat=chat + "-2"),
        ):
            assert refused.status_code == 503
            assert refused.json()["code"] == "offline:chat"
        ready = eve.http.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        stream.read_until(b"text-delta", 6)
        assert eve.http.post(f"/api/chat/{chat}/stop").json() == {"success": True}
        body = stream.rest()
    mortal_stores.revive()
    eventually(lambda: not mortal_stores.revive() and is_ready(eve), within_s=30)
    answer = eventually(lambda: stopped(eve, chat))
    assert text_of(answer) == deltas(body)


def stopped(user: User, chat: str) -> dict[str, object] | None:
    answer = user.answer(chat)
    return answer if answer["metadata"]["status"] == "stopped" else None


def test_another_process_follows_stops_and_sees_the_end(
    mortal: GatewayProcess, urls: StoreUrls, eve: User, chat: str, tmp_path: Path
) -> None:
    settings = environment(urls, mortal.data_dir)  # whose key signs the cookies
    with (
        GatewayProcess(tmp_path / "log", settings) as other,
        httpx.Client(base_url=other.base_url, cookies=eve.http.cookies, timeout=30) as elsewhere,
    ):
        with eve.asking("one two three", chat=chat, message_id="question-1") as stream:
            stream.read_until(b"text-delta", 2)
            same = eve.body("one two three", chat=chat, model="mock/slow", message_id="question-1")
            with elsewhere.stream("POST", "/api/chat", json=same) as repeated:
                assert elsewhere.post(f"/api/chat/{chat}/stop").json() == {"success": True}
                assert repeated.read() == stream.rest()
        assert eve.answer(chat)["metadata"]["status"] == "stopped"
        with eve.asking("and then it dies", chat=chat) as stream:
            stream.read_until(b"text-delta", 2)
            with elsewhere.stream("GET", f"/api/chat/{chat}/stream") as following:
                seen = stream.read_until(b"text-delta", 5)
                mortal.kill()
                whole = following.read()
    mortal.start()
    assert whole.startswith(seen[: seen.rindex(b"\n\n") + 2])
    assert whole.endswith(b"data: [DONE]\n\n")
    kinds = [part["type"] for part in parts_of(whole)]
    assert kinds[-3:] == ["text-end", "message-metadata", "abort"]
    answer = eve.answer(chat)
    assert answer["metadata"]["status"] == "interrupted"
    assert text_of(answer) == deltas(whole)


def test_kill_9_of_a_gateway_with_its_own_stores(tmp_path: Path, chat: str) -> None:
    settings = environment(StoreUrls("", ""), tmp_path / "data")
    with GatewayProcess(tmp_path / "log", settings) as gateway:
        mallory = gateway.user()
        mallory.ask("kept", chat=chat)
        seen = deltas(ask_and_lose(gateway, mallory, chat))
        gateway.start()
        eventually(lambda: mallory.answer(chat)["metadata"]["status"] == "interrupted")
        kept, _, question, partial = mallory.messages(chat)
        assert text_of(kept) == "kept"
        assert text_of(question) == "one two three four"
        # Valkey syncs its file once a second, PostgreSQL each checkpoint: one of them has it
        assert text_of(partial).startswith(seen[: len("one ")])


def test_both_stores_are_killed_and_come_back(
    mortal_stores: EmbeddedStores, eve: User, chat: str
) -> None:
    eve.ask("kept", chat=chat)
    with eve.asking("one two three four", chat=chat) as stream:
        stream.read_until(b"text-delta", 3)
        kill(mortal_stores, "PostgreSQL")
        kill(mortal_stores, "Valkey")
        stream.read_until(b"text-delta", 8)
        eventually(lambda: not mortal_stores.revive() and is_ready(eve), within_s=30)
        eve.http.post(f"/api/chat/{chat}/stop")
        body = stream.rest()
    answer = eventually(lambda: stopped(eve, chat))
    assert text_of(answer) == deltas(body)
    assert [text_of(message) for message in eve.messages(chat)][:3] == [
        *["kept"] * 2,
        "one two three four",
    ]


def test_a_client_that_reads_a_byte_a_second_holds_up_nobody(
    mortal: GatewayProcess, eve: User, chat: str
) -> None:
    question = "word " * 1_500
    body = json.dumps(eve.body(question, chat=chat)).encode()
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        slow.connect(("127.0.0.1", mortal.port))
        slow.sendall(
            b"POST /api/chat HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\ncookie: %b\r\n\r\n%b"
            % (len(body), eve.cookie.encode(), body)
        )
        seen = b""
        for _ in range(3):
            seen += slow.recv(1)
            time.sleep(1)
        assert eve.answer(chat)["metadata"]["status"] == "complete"
        assert eve.ask("quick", chat=new_id()).content.endswith(b"data: [DONE]\n\n")
        while piece := slow.recv(1 << 16):
            seen += piece
    assert seen.count(b"text-delta") == 1_500
    assert b"data: [DONE]" in seen[-50:]
    assert text_of(eve.answer(chat)) == question


JUMPY_CLOCK = """
import pathlib, time
offset = pathlib.Path(__file__).with_name("offset")
real_s, real_ns = time.time, time.time_ns
time.time = lambda: real_s() + float(offset.read_text())
time.time_ns = lambda: real_ns() + int(float(offset.read_text()) * 1e9)
"""


def test_the_clock_jumps(urls: StoreUrls, tmp_path: Path, chat: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(JUMPY_CLOCK)
    (tmp_path / "offset").write_text("0")
    settings = environment(urls, tmp_path, PYTHONPATH=str(tmp_path))
    with GatewayProcess(tmp_path / "log", settings) as gateway:
        user = gateway.user()
        with user.asking("one two three", chat=chat) as stream:
            stream.read_until(b"text-delta", 3)
            (tmp_path / "offset").write_text("-7200")
            stream.read_until(b"text-delta", 6)
            with user.resuming(chat) as resumed:
                assert resumed.read_until(b"text-delta", 6)
            time.sleep(1.5)  # longer than a lease
            (tmp_path / "offset").write_text("86400")
            stream.read_until(b"text-delta", 30)
            user.http.post(f"/api/chat/{chat}/stop")
            body = stream.rest()
        ids = [line[4:] for line in body.decode().splitlines() if line.startswith("id: ")]
        assert ids == sorted(ids, key=lambda name: [int(part) for part in name.split("-")])
        assert user.answer(chat)["metadata"]["status"] == "stopped"
        assert text_of(user.answer(chat)) == deltas(body)
        (tmp_path / "offset").write_text("-86400")
        user.ask("later, by an earlier clock", chat=chat)
        assert [text_of(message) for message in user.messages(chat)][-2:] == [
            *["later, by an earlier clock"] * 2
        ]


def test_no_room_for_files(urls: StoreUrls, tmp_path: Path) -> None:
    with disk_of("1m", tmp_path / "disk") as disk:
        settings = environment(urls, tmp_path, RAYLM_FILES_URL=str(disk))
        with GatewayProcess(tmp_path / "log", settings) as gateway:
            user = gateway.user()
            form = {"file": ("large.txt", b"x" * 2_000_000)}
            refused = user.http.post("/api/files/upload", files=form)
            assert (refused.status_code, refused.json()["code"]) == (507, "storage_full:file")
            form = {"file": ("small.txt", b"x" * 600_000)}
            first = user.http.post("/api/files/upload", files=form)
            assert first.status_code == 200
            assert user.http.post("/api/files/upload", files=form).status_code == 507
            assert len(user.http.get(first.json()["url"]).content) == 600_000
            user.http.delete(first.json()["url"])
            assert user.http.post("/api/files/upload", files=form).status_code == 200
            outages = 'raylm_store_outages_total{store="files"} 2.0'
            assert outages in user.http.get("/metrics").text


def test_no_room_for_the_database(urls: StoreUrls, tmp_path: Path) -> None:
    """What was told to be stored is; what cannot be is refused; with room all goes on."""
    with disk_of("200m", tmp_path / "disk") as disk:
        stores = EmbeddedStores(disk / "stores", redis_url=urls.redis_url)
        try:
            settings = environment(stores.start(), tmp_path)
            with GatewayProcess(tmp_path / "log", settings) as gateway:
                fill_and_free(gateway, stores, disk)
        finally:
            stores.stop()


def fill(path: Path) -> None:
    """Until the disk has no room for a byte more."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4_096)


def fill_and_free(gateway: GatewayProcess, stores: EmbeddedStores, disk: Path) -> None:
    user = gateway.user()
    user.ask("before", chat="chat-before")
    fill(disk / "filler")
    kept, refused = [], None
    for number in range(300):
        chat = f"chat-number-{number}"
        response = user.ask(secrets.token_hex(3_500), chat=chat)
        if response.status_code != 200:
            refused = response
            break
        kept.append(chat)
    assert refused is not None
    assert (refused.status_code, refused.json()["code"]) == (503, "offline:chat")
    (disk / "filler").unlink()
    eventually(lambda: stores.revive() or is_ready(user), within_s=30)
    eventually(lambda: user.ask("after", chat="chat-after").status_code == 200, within_s=30)
    for chat in ("chat-before", "chat-after", *kept[-5:]):
        question, answer = user.messages(chat)[:2]
        status = eventually(lambda chat=chat: user.answer(chat)["metadata"]["status"])
        assert (text_of(question), status) == (text_of(answer), "complete")
