"""What clients may do to a real engine, of a tiny model: the right status, and it goes on."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from raylm.infer.async_engine import AsyncLLM
from raylm.infer.runners.packed import PackedRunner
from raylm.infer.sampling.likeliest import Likeliest
from raylm_kernels.cpu import build
from tests.serve.conftest import serving
from tests.tiny_model import write_tiny_model

CONTEXT = 256
OPTIONS = {"quantization": "none", "threads": 1, "max_running": 4, "max_model_len": CONTEXT}
TOKEN_BYTES = 2 * 2 * 2 * 16 * 4  # keys and values, layers, heads, their size, fp32


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    room = (CONTEXT + 64) * TOKEN_BYTES  # for one and a quarter sequences
    return AsyncLLM(str(folder), kv_cache_bytes=room, **OPTIONS)


@pytest.fixture(scope="module")
def http(llm):
    with (
        serving(llm) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        yield client


def complete(http, prompt, **options):
    body = {"model": "tiny", "prompt": prompt, "ignore_eos": True, "max_tokens": 4, **options}
    return http.post("/v1/completions", json=body)


def assert_unharmed(http):
    assert complete(http, [1, 2, 3]).json()["usage"]["completion_tokens"] == 4
    load = http.get("/health").json()
    assert load["running"] == load["waiting"] == 0
    assert load["free_blocks"] == load["total_blocks"]


def test_a_prompt_longer_than_the_context_names_both_numbers(http):
    reply = complete(http, [5] * 300)
    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "context_length_exceeded"
    assert "300" in reply.json()["error"]["message"]
    assert str(CONTEXT) in reply.json()["error"]["message"]
    assert_unharmed(http)


@pytest.mark.parametrize("prompt", [[10**6], [-1], [2**70], [[]]])
def test_tokens_nobody_knows(http, prompt):
    assert complete(http, prompt).status_code == 400
    assert_unharmed(http)


def test_more_tokens_than_there_is_room_for_end_with_the_context(http):
    reply = complete(http, [5] * 6, max_tokens=10**12).json()
    assert reply["usage"]["completion_tokens"] == CONTEXT - 6
    assert reply["choices"][0]["finish_reason"] == "length"
    assert_unharmed(http)


def test_out_of_blocks_the_younger_wait_and_all_are_answered(http):
    with ThreadPoolExecutor(8) as clients:
        replies = clients.map(
            lambda n: complete(http, [n] * 90, max_tokens=100, temperature=0), range(1, 9)
        )
        for number, reply in enumerate(replies, 1):
            assert reply.json()["usage"]["completion_tokens"] == 100
            assert reply.json()["usage"]["prompt_tokens"] == 90, number
    assert_unharmed(http)


@pytest.mark.parametrize("stream", [False, True])
def test_a_kernel_that_fails_at_run_time_fails_its_request_alone(http, llm, monkeypatch, stream):
    runner = llm._engine._runner

    def fail(batch):
        monkeypatch.undo()
        raise RuntimeError("illegal instruction")

    monkeypatch.setattr(runner, "forward", fail)
    reply = complete(http, [1, 2, 3], stream=stream)
    assert reply.status_code == 500
    assert "illegal instruction" in reply.json()["error"]["message"]
    assert_unharmed(http)


@pytest.mark.skipif(not build.available()[0], reason=build.available()[1])
def test_a_packed_kernel_that_fails_at_run_time_is_replaced_unseen(tmp_path, monkeypatch, caplog):
    """Whoever is being answered notices nothing but that it takes longer."""
    folder = str(write_tiny_model(tmp_path / "tiny"))
    llm = AsyncLLM(folder, **{**OPTIONS, "quantization": "int8"})
    calls = []

    def fail(self, batch):
        calls.append(batch)
        if len(calls) > 3:
            raise RuntimeError("illegal instruction")
        return Likeliest.of(self.forward(batch))

    monkeypatch.setattr(PackedRunner, "likeliest", fail)
    with serving(llm) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        reply = complete(client, [1, 2, 3], max_tokens=20, temperature=0).json()
        assert reply["usage"]["completion_tokens"] == 20
        assert complete(client, [1, 2, 3], temperature=0).status_code == 200
        assert_unharmed(client)
    assert len(calls) == 4
    told = [record.getMessage() for record in caplog.records if "kernel" in record.getMessage()]
    assert told == [
        "a kernel failed while it ran (illegal instruction); TorchRunner goes on from here"
    ]
