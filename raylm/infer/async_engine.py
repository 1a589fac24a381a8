"""`raylm.AsyncLLM`: the engine for asyncio. Streams of deltas, aborted by being closed."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from raylm.core.errors import EngineError, OverloadedError
from raylm.core.sampling import SamplingParams
from raylm.core.schema import ServeConfig
from raylm.infer.engine import Stats
from raylm.infer.engine_thread import EngineThread, Event
from raylm.infer.load import RunnerFactory, load
from raylm.infer.outputs import Delta, RequestOutput
from raylm.models.source import ModelSource


@dataclass(slots=True, eq=False)
class _Stream:
    """What the engine has made for one caller, and the loop that caller waits in."""

    choices: int  # unfinished ones
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Delta | EngineError] = field(default_factory=asyncio.Queue)


class AsyncLLM:
    """Built, it holds the model; started, it serves. May be used from several event loops."""

    def __init__(
        self,
        model: str | Path | ModelSource | ServeConfig = "smollm2",
        *,
        device: str = "cpu",
        runner_factory: RunnerFactory | None = None,
        **options: Any,
    ) -> None:
        """`options` are keys of ServeConfig, such as `quantization="int4"`. Split over workers, it
        takes a `runner_factory`, and ends them when it is shut down."""
        loaded = load(model, options, device, runner_factory)
        self._workers = loaded.workers
        self.model_name = loaded.model_name
        self.tokenizer = loaded.source.tokenizer
        self.chat_template = loaded.source.chat_template
        self.max_model_len = loaded.engine.max_model_len
        self._capacity = loaded.config.max_running + loaded.config.max_waiting
        self._engine = loaded.engine
        self._thread = EngineThread(loaded.engine, self._deliver)
        self._streams: dict[str, _Stream] = {}
        self._numbers = itertools.count()
        self._started = self._stopping = False

    async def start(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()

    async def shutdown(self, drain_s: float = 0.0) -> None:
        """Take no more requests, give those there are `drain_s` to finish, fail the rest."""
        if not self._started or self._stopping:
            return
        self._stopping = True
        deadline = asyncio.get_running_loop().time() + drain_s
        while self._streams and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(self._thread.stop)
        if self._workers is not None:
            await asyncio.to_thread(self._workers.close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

    async def stream(
        self,
        prompt_token_ids: Sequence[int],
        params: SamplingParams,
        request_id: str | None = None,
    ) -> AsyncGenerator[Delta, None]:
        """One delta per token and choice; the last of each of the `n` choices says why it ended.

        Closing or cancelling it frees the request's blocks before the next step. Raises
        RequestError, OverloadedError, or EngineError.
        """
        # Numbered, so that a name used again never hears from its namesake's last step.
        request_id = f"{request_id or 'request'}-{next(self._numbers)}"
        stream = self._submit(request_id, prompt_token_ids, params)
        unfinished = stream.choices
        try:
            while unfinished:
                event = await stream.events.get()
                if isinstance(event, EngineError):
                    raise event
                unfinished -= event.finish_reason is not None
                yield event
        finally:
            if self._streams.pop(request_id, None):
                self._thread.abort(request_id)

    async def generate(
        self,
        prompt_token_ids: Sequence[int],
        params: SamplingParams,
        request_id: str | None = None,
    ) -> RequestOutput:
        deltas = [delta async for delta in self.stream(prompt_token_ids, params, request_id)]
        return RequestOutput.of(request_id or "request", prompt_token_ids, deltas)

    def stats(self) -> Stats:
        """Raises EngineError once the engine has failed for good."""
        if self._thread.failure is not None:
            raise self._thread.failure
        if self._workers is not None:
            self._workers.check()
        stats = self._engine.stats()
        return replace(stats, waiting=max(0, self._unfinished() - stats.running))

    def _submit(
        self, request_id: str, prompt_token_ids: Sequence[int], params: SamplingParams
    ) -> _Stream:
        if not self._started or self._stopping:
            state = "shutting down" if self._stopping else "not started"
            raise EngineError(f"the engine is {state} and takes no requests")
        requests = self._engine.requests_for(request_id, prompt_token_ids, params)
        if self._unfinished() >= self._capacity:
            raise OverloadedError(
                f"{self._capacity} sequences are running or queued, the most that max_running and "
                "max_waiting allow; try again later"
            )
        stream = self._streams[request_id] = _Stream(params.n, asyncio.get_running_loop())
        try:
            self._thread.submit(requests)
        except EngineError:
            del self._streams[request_id]
            raise
        return stream

    def _unfinished(self) -> int:
        return sum(stream.choices for stream in list(self._streams.values()))

    def _deliver(self, events: Sequence[Event]) -> None:
        """In the engine's thread: wake each loop once, whatever the number of streams."""
        by_loop: dict[asyncio.AbstractEventLoop, list[Event]] = {}
        for request_id, event in events:
            if stream := self._streams.get(request_id):
                by_loop.setdefault(stream.loop, []).append((request_id, event))
        for loop, parts in by_loop.items():
            try:
                loop.call_soon_threadsafe(self._hand_out, parts)
            except RuntimeError:  # the loop was closed, and with it all who listened
                for request_id, _ in parts:
                    self._streams.pop(request_id, None)
                    self._thread.abort(request_id)

    def _hand_out(self, events: Sequence[Event]) -> None:
        for request_id, event in events:
            if stream := self._streams.get(request_id):
                stream.events.put_nowait(event)
                if isinstance(event, EngineError):
                    stream.choices = 0
                elif event.finish_reason is not None:
                    stream.choices -= 1
                if not stream.choices:
                    del self._streams[request_id]
