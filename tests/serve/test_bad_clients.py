"""Clients that do not read, do not stay or do not speak HTTP: the others notice nothing."""

import json
import socket

import httpx
import psutil
import pytest

FLAT_BYTES = 48 * 2**20
CONNECTIONS = 1_000


def request(**options):
    body = json.dumps({"model": "fake", "prompt": "x", "stream": True, **options}).encode()
    head = (
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def connect(server):
    """A socket that takes little before it has to be read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", httpx.URL(server.url).port))
    return client


def assert_well(http, engine):
    reply = http.post("/v1/completions", json={"model": "fake", "prompt": "x", "max_tokens": 7})
    assert reply.status_code == 200
    assert http.get("/health").json()["running"] == 0
    assert not engine.held


@pytest.fixture
def memory():
    """The process grows by little, whatever the test does."""
    process = psutil.Process()
    before = process.memory_info().rss
    yield
    assert process.memory_info().rss - before < FLAT_BYTES


def test_bad_bodies_leave_nothing_behind(server, http, engine):
    bodies = {
        b" " * (10 * 2**20 + 1): 413,
        b'{"model": "\xff\xfe"}': 400,
        b'{"model": "fake", "prompt": "x", "temperature": NaN}': 400,
        b'{"model": "fake", "prompt": "x", "max_tokens": -1}': 400,
        b'{"model": "fake", "prompt": "' + b"x" * 5_000_000 + b'"}': 400,
        b"[" * 1_000_000: 400,
    }
    process, resident = psutil.Process(), []
    for _ in range(16):
        resident.append(process.memory_info().rss)
        for body, status in bodies.items():
            headers = {"content-type": "application/json"}
            assert http.post("/v1/completions", content=body, headers=headers).status_code == status
    assert not engine.prompts
    assert_well(http, engine)
    assert resident[-1] - resident[5] < FLAT_BYTES, resident  # a round is 16 MB


def test_clients_that_never_read_hold_nothing_of_the_engine(server, http, engine, memory):
    engine.endless = True
    clients = [connect(server) for _ in range(2)]
    for client in clients:
        client.sendall(request(max_tokens=30_000))
    while len(engine.callers) < len(clients):
        http.get("/health")
    server.wait_until_free(30)
    assert_well(http, engine)
    for client in clients:
        client.close()


def test_a_thousand_connections_opened_and_dropped(server, http, engine, memory):
    engine.endless = True
    engine.token_s = 0.01
    whole, half = request(max_tokens=100_000), request()[:60]
    for number in range(CONNECTIONS):
        with connect(server) as client:
            client.sendall((b"", half, whole, b"\x16\x03\x01 no HTTP\r\n\r\n")[number % 4])
    server.wait_until_free(30)
    engine.endless = False
    assert_well(http, engine)
