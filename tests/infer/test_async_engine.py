import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from raylm.core.errors import ConfigError, EngineError, OverloadedError, PromptTooLongError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.core.schema import ServeConfig
from raylm.infer.async_engine import AsyncLLM
from raylm.infer.llm import LLM
from raylm.infer.runners.runner import TorchRunner
from raylm.infer.sampling.outputs import Delta
from raylm.models.source import ModelSource
from tests.infer.conftest import EchoRunner
from tests.tiny_model import write_tiny_model

PROMPT = [5, 6, 7, 8]
FOREVER = SamplingParams(temperature=0, ignore_eos=True)


def greedy(max_tokens: int, **others: Any) -> SamplingParams:
    return SamplingParams(max_tokens=max_tokens, temperature=0, ignore_eos=True, **others)


def make(source: ModelSource, **options: Any) -> AsyncLLM:
    return AsyncLLM(source, quantization=None, threads=1, **options)


@pytest.fixture
async def engine(tiny_source: ModelSource) -> AsyncIterator[AsyncLLM]:
    async with make(tiny_source) as engine:
        yield engine


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 10 ms, so that an answer of a full context takes ten seconds."""
    forward = TorchRunner.forward

    def wait(self: TorchRunner, batch: Any) -> Any:
        time.sleep(0.01)
        return forward(self, batch)

    monkeypatch.setattr(TorchRunner, "forward", wait)


async def tokens(engine: AsyncLLM, prompt: list[int], params: SamplingParams) -> list[int]:
    return [token async for delta in engine.stream(prompt, params) for token in delta.token_ids]


async def until(condition: Callable[[], bool], within_s: float) -> float:
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() - started < within_s
        await asyncio.sleep(0.001)
    return time.perf_counter() - started


def idle(engine: AsyncLLM) -> bool:
    stats = engine.stats()
    return stats.free_blocks == stats.total_blocks and stats.running == stats.waiting == 0


async def test_a_stream_gives_a_delta_per_token_and_a_reason_last(engine: AsyncLLM) -> None:
    deltas = [delta async for delta in engine.stream(PROMPT, greedy(5))]
    assert [len(delta.token_ids) for delta in deltas] == [1] * 5
    assert [delta.finish_reason for delta in deltas] == [None] * 4 + [FinishReason.LENGTH]
    assert all(delta.prompt_tokens == 4 for delta in deltas)
    ids = [token for delta in deltas for token in delta.token_ids]
    assert "".join(delta.text for delta in deltas) == engine.tokenizer.decode(ids)
    assert idle(engine)


async def test_streams_side_by_side_say_what_each_says_alone(
    engine: AsyncLLM, tiny_source: ModelSource
) -> None:
    prompts = [list(range(3 + i, 20 + 3 * i)) for i in range(12)]
    alone = LLM(tiny_source, threads=1)
    expected = [alone.generate([prompt], greedy(24))[0].token_ids for prompt in prompts]
    found = await asyncio.gather(*(tokens(engine, prompt, greedy(24)) for prompt in prompts))
    assert found == expected


async def test_choices_come_interleaved_and_end_each(engine: AsyncLLM) -> None:
    params = SamplingParams(max_tokens=5, seed=3, n=3, ignore_eos=True, temperature=2.0)
    deltas = [delta async for delta in engine.stream(PROMPT, params)]
    assert sorted(d.index for d in deltas if d.finish_reason) == [0, 1, 2]
    output = await engine.generate(PROMPT, params)
    for completion in output.completions:
        own = [d.token_ids[0] for d in deltas if d.index == completion.index]
        assert own == completion.token_ids
    assert len({tuple(completion.token_ids) for completion in output.completions}) == 3


@pytest.mark.usefixtures("slow")
async def test_a_cancelled_reader_frees_its_blocks_within_100_ms(engine: AsyncLLM) -> None:
    reader = asyncio.create_task(tokens(engine, PROMPT, FOREVER))
    await until(lambda: engine.stats().running == 1, 5)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await until(lambda: idle(engine), 5) < 0.1


@pytest.mark.usefixtures("slow")
async def test_a_closed_stream_frees_its_blocks_within_100_ms(engine: AsyncLLM) -> None:
    async def seconds() -> float:
        async with aclosing(engine.stream(PROMPT, SamplingParams(n=3, ignore_eos=True))) as stream:
            assert isinstance(await anext(stream), Delta)
            assert not idle(engine)
        return await until(lambda: idle(engine), 5)

    assert min([await seconds() for _ in range(3)]) < 0.1  # other programs may take the cores


@pytest.mark.usefixtures("slow")
async def test_a_waiting_request_can_be_cancelled(tiny_source: ModelSource) -> None:
    async with make(tiny_source, max_running=1) as engine:
        first = asyncio.create_task(tokens(engine, PROMPT, FOREVER))
        second = asyncio.create_task(tokens(engine, PROMPT, FOREVER))
        await until(lambda: engine.stats().running == 1 and engine.stats().waiting == 1, 5)
        second.cancel()
        await asyncio.wait([second])
        assert engine.stats().waiting == 0
        assert engine.stats().running == 1
        first.cancel()
        await asyncio.wait([first])


@pytest.mark.usefixtures("slow")
async def test_a_full_queue_refuses_and_recovers(tiny_source: ModelSource) -> None:
    async with make(tiny_source, max_running=1, max_waiting=1) as engine:
        readers = [asyncio.create_task(tokens(engine, PROMPT, FOREVER)) for _ in range(2)]
        await until(lambda: engine.stats().running == 1, 5)
        with pytest.raises(OverloadedError, match=r"2 sequences .* try again later") as caught:
            await tokens(engine, PROMPT, greedy(1))
        assert 1 <= caught.value.retry_after_s <= 60
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
        assert len(await tokens(engine, PROMPT, greedy(3))) == 3


@pytest.mark.usefixtures("slow")
async def test_a_user_may_not_fill_the_queue_alone(tiny_source: ModelSource) -> None:
    async with make(tiny_source, max_running=1, max_waiting_per_user=1) as engine:
        readers = [
            asyncio.create_task(engine.generate(PROMPT, FOREVER, user="ada")) for _ in range(2)
        ]
        await until(lambda: engine.stats().running == 1, 5)
        with pytest.raises(OverloadedError, match="you have 1 sequences queued"):
            await engine.generate(PROMPT, greedy(1), user="ada")
        other = asyncio.create_task(engine.generate(PROMPT, greedy(1), user="bob"))
        urgent = asyncio.create_task(engine.generate(PROMPT, greedy(2), user="eve", priority=1))
        assert len((await asyncio.wait_for(urgent, 5)).token_ids) == 2
        for task in (*readers, other):
            task.cancel()
        await asyncio.wait([*readers, other])


async def test_a_bad_request_is_refused_before_it_queues(engine: AsyncLLM) -> None:
    with pytest.raises(PromptTooLongError, match="has 1024 tokens"):
        await tokens(engine, [1] * 1024, greedy(1))
    assert idle(engine)


async def test_a_failing_step_fails_its_streams_and_the_engine_goes_on(
    engine: AsyncLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TorchRunner, batch: Any) -> Any:
        raise RuntimeError("bad kernel")

    with monkeypatch.context() as patch:
        patch.setattr(TorchRunner, "forward", fail)
        with pytest.raises(EngineError, match="bad kernel"):
            await tokens(engine, PROMPT, greedy(3))
    assert len(await tokens(engine, PROMPT, greedy(3))) == 3
    assert idle(engine)


async def test_an_engine_beyond_repair_says_so(
    engine: AsyncLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: TorchRunner, batch: Any) -> Any:
        raise RuntimeError("no memory")

    monkeypatch.setattr(TorchRunner, "forward", fail)
    for _ in range(3):
        with pytest.raises(EngineError, match="no memory"):
            await tokens(engine, PROMPT, greedy(3))
    with pytest.raises(EngineError, match="restart it"):
        engine.stats()
    with pytest.raises(EngineError, match="restart it"):
        await tokens(engine, PROMPT, greedy(3))


@pytest.mark.usefixtures("slow")
async def test_shutdown_lets_short_answers_finish_and_fails_the_rest(
    tiny_source: ModelSource,
) -> None:
    engine = make(tiny_source)
    await engine.start()
    short = asyncio.create_task(tokens(engine, PROMPT, greedy(8)))
    long = asyncio.create_task(tokens(engine, PROMPT, FOREVER))
    await until(lambda: engine.stats().running == 2, 5)
    await engine.shutdown(drain_s=0.5)
    assert len(await short) == 8
    with pytest.raises(EngineError, match="shut down"):
        await long
    with pytest.raises(EngineError, match="takes no requests"):
        await tokens(engine, PROMPT, greedy(1))
    await engine.shutdown()


async def test_an_engine_not_started_says_so(tiny_source: ModelSource) -> None:
    with pytest.raises(EngineError, match="not started"):
        await tokens(make(tiny_source), PROMPT, greedy(1))


class FakeWorkers(EchoRunner):
    """Processes of its own that nobody started."""

    is_closed = False

    def check(self) -> None: ...

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("starts", [False, True])
async def test_shutdown_ends_the_workers_of_an_engine_started_or_not(
    tmp_path: Path, starts: bool
) -> None:
    workers = FakeWorkers(vocab_size=320)
    engine = AsyncLLM(
        str(write_tiny_model(tmp_path / "tiny")),
        quantization=None,
        tensor_parallel=2,
        runner_factory=lambda config, spec, num_blocks_for: workers,
    )
    if starts:
        await engine.start()
    assert not workers.is_closed
    await engine.shutdown()
    assert workers.is_closed
    await engine.start()  # too late
    with pytest.raises(EngineError, match="shutting down"):
        await tokens(engine, PROMPT, greedy(1))


@pytest.mark.usefixtures("slow")
async def test_the_queue_is_counted_by_priority(tiny_source: ModelSource) -> None:
    async with make(tiny_source, max_running=1) as engine:
        readers = [asyncio.create_task(engine.generate(PROMPT, FOREVER, priority=9))]
        await until(lambda: engine.stats().running == 1, 5)
        readers += [
            asyncio.create_task(engine.generate(PROMPT, params, priority=priority))
            for params, priority in ((FOREVER, 0), (greedy(9, n=3), 0), (FOREVER, -2), (FOREVER, 9))
        ]
        await until(lambda: engine.stats().waiting == 6, 5)
        assert engine.stats().queue == {-2: 1, 0: 4, 9: 1}
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
        await until(lambda: idle(engine), 5)
        assert engine.stats().queue == {}


async def test_a_serve_config_says_all(tiny_source: ModelSource) -> None:
    config = ServeConfig(name="mine", quantization="none", max_model_len=64)
    with pytest.raises(ConfigError, match="max_model_lne"):
        AsyncLLM(config, max_model_lne=3)
    engine = make(tiny_source, name="mine", max_model_len=64)
    assert (engine.model_name, engine.max_model_len) == ("mine", 64)
    assert engine.chat_template is tiny_source.chat_template


def test_a_loop_that_went_away_takes_its_requests_along(tiny_source: ModelSource) -> None:
    engine = make(tiny_source)
    asyncio.run(engine.start())
    stream = engine.stream(PROMPT, FOREVER)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(anext(stream))
    loop.close()

    async def watch() -> None:
        await until(lambda: idle(engine), 5)
        assert len(await tokens(engine, PROMPT, greedy(3))) == 3
        await engine.shutdown()

    asyncio.run(watch())
