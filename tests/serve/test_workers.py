"""An engine over two actors: real processes, real deaths."""

import asyncio
import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from raylm.core.errors import ConfigError, EngineError, ModelNotFoundError
from raylm.core.sampling import SamplingParams
from raylm.core.schema import ServeConfig
from raylm.data.tokenizer import Tokenizer
from raylm.infer.async_engine import AsyncLLM
from raylm.infer.llm import LLM
from raylm.models.hf_weights import save_hf_folder
from raylm.runtime.session import ray_session
from raylm.serve import workers
from raylm.serve.workers import WorkersRunner
from tests.parallel.split_models import source, spec
from tests.processes import is_alive, wait_until

pytestmark = pytest.mark.ray

OPTIONS = {
    "quantization": "none",
    "max_running": 4,
    "max_batch_tokens": 16,
    "threads": 1,
    "kv_cache_bytes": 2**20,
}
PROMPTS = [[5, 6, 7], list(range(40, 3, -1)), [9], list(range(10, 30))]
PARAMS = [SamplingParams(max_tokens=n, temperature=0, ignore_eos=True) for n in (12, 5, 20, 9)]


@pytest.fixture(scope="module")
def ray_cluster():
    with ray_session(cpus=4):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sizes that two workers share unevenly, and biases."""
    tokenizer = Tokenizer.train_bpe(["the quick brown fox jumps over the lazy dog"], 290)
    model = spec(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        num_heads=9,
        num_kv_heads=3,
        intermediate_size=97,
        max_positions=256,
        attention_bias=True,
    )
    opened = source(model)
    path = tmp_path_factory.mktemp("models") / "tiny"
    save_hf_folder(path, model, {name: opened.weights[name] for name in opened.weights}, tokenizer)
    return path


def pids(runner):
    return [member.pid for member in runner._steps._group.members]


@pytest.fixture(scope="module")
def expected(folder):
    """Of one process."""
    return [out.token_ids for out in LLM(folder, **OPTIONS).generate(PROMPTS, PARAMS)]


@pytest.mark.usefixtures("ray_cluster")
def test_two_stages_answer_token_for_token_as_one_process_and_end(folder, expected):
    llm = LLM(folder, runner_factory=WorkersRunner, **OPTIONS, pipeline_parallel=2)
    processes = pids(llm._workers)
    for _ in range(2):
        assert [out.token_ids for out in llm.generate(PROMPTS, PARAMS)] == expected
    assert len({os.getpid(), *processes}) == 3
    llm.close()
    wait_until(lambda: not any(map(is_alive, processes)))
    with pytest.raises(EngineError, match="they were closed"):
        llm.generate(PROMPTS, PARAMS)


@pytest.mark.usefixtures("ray_cluster")
async def test_two_ranks_answer_as_one_process_until_one_dies(folder, expected):
    engine = AsyncLLM(folder, runner_factory=WorkersRunner, **OPTIONS, tensor_parallel=2)
    processes = pids(engine._workers)
    async with engine:
        answers = await asyncio.gather(*map(engine.generate, PROMPTS, PARAMS))
        assert [answer.token_ids for answer in answers] == expected
        engine.stats()
        answer = await engine.generate(PROMPTS[1], replace(PARAMS[1], logprobs=1))
        assert answer.token_ids == expected[1]  # by way of all logits
        long = SamplingParams(max_tokens=200, temperature=0, ignore_eos=True)
        stream = engine.stream(PROMPTS[0], long)
        await anext(stream)
        os.kill(processes[1], signal.SIGKILL)
        killed = time.monotonic()
        with pytest.raises(EngineError, match=f"pid {processes[1]}"):
            [delta async for delta in stream]
        assert time.monotonic() - killed < 2.0
        with pytest.raises(EngineError, match="the workers have failed"):
            engine.stats()
    wait_until(lambda: not any(map(is_alive, processes)))


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"heartbeat_s": 2.0}, "worker 1 .pid {pid}. does not answer"),
        ({"step_timeout_s": 2.0, "heartbeat_s": 60.0}, "no answer from worker .*1 within 2 s"),
    ],
)
async def test_a_worker_that_hangs_fails_its_streams_like_one_that_dies(folder, limits, message):
    options = OPTIONS | limits | {"tensor_parallel": 2}
    engine = AsyncLLM(folder, runner_factory=WorkersRunner, **options)
    processes = pids(engine._workers)
    async with engine:
        long = SamplingParams(max_tokens=200, temperature=0, ignore_eos=True)
        stream = engine.stream(PROMPTS[0], long)
        await anext(stream)
        os.kill(processes[1], signal.SIGSTOP)
        stopped = time.monotonic()
        with pytest.raises(EngineError, match=message.format(pid=processes[1])):
            [delta async for delta in stream]
        assert time.monotonic() - stopped < 6.0
        with pytest.raises(EngineError, match="the workers have failed"):
            engine.stats()
    wait_until(lambda: not any(map(is_alive, processes)))


@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_ends_or_hangs_is_noticed_while_nothing_runs(folder, ending):
    options = {"model": str(folder), "pipeline_parallel": 2, "heartbeat_s": 2.0}
    runner = WorkersRunner(ServeConfig.load(options | OPTIONS), spec(), lambda token_bytes: 4)
    processes = pids(runner)
    runner.check()
    os.kill(processes[0], ending)
    wait_until(lambda: _has_failed(runner))
    runner.close()
    wait_until(lambda: not any(map(is_alive, processes)))


def _has_failed(runner):
    try:
        runner.check()
    except EngineError:
        return True
    return False


@pytest.mark.usefixtures("ray_cluster")
def test_a_worker_that_cannot_load_the_model_says_why(folder, tmp_path):
    config = ServeConfig(model=str(tmp_path / "absent"), tensor_parallel=2)
    with pytest.raises(ModelNotFoundError, match="absent"):
        WorkersRunner(config, spec(), lambda token_bytes: 4)


def test_a_size_that_does_not_suit_the_model_starts_nothing(folder, monkeypatch):
    monkeypatch.setattr(workers, "ray_session", None)
    for changes, message in (
        ({"tensor_parallel": 4}, "4 tensor-parallel ranks cannot share num_kv_heads 3"),
        ({"pipeline_parallel": 4}, "num_layers 3 cannot be split over 4 pipeline stages"),
    ):
        with pytest.raises(ConfigError, match=message):
            LLM(folder, runner_factory=WorkersRunner, **OPTIONS, **changes)


@pytest.mark.usefixtures("ray_cluster")
def test_blocks_are_counted_for_the_worker_with_the_most_heads():
    shard_bytes = []
    config = ServeConfig(model="unused", tensor_parallel=2)
    model = spec(num_heads=9, num_kv_heads=3)
    whole = 2 * model.num_layers * 3 * model.head_dim * torch.float32.itemsize

    class Enough(Exception):  # noqa: N818
        pass

    def num_blocks_for(token_bytes):
        shard_bytes.append(token_bytes)
        raise Enough

    with pytest.raises(Enough):
        WorkersRunner(config, model, num_blocks_for)
    assert shard_bytes == [whole * 2 // 3]
