"""`raylm.AsyncLLM`: the engine for asyncio. Streams of deltas, aborted by being closed."""

import asyncio
import itertools
import time
from collections import Counter, deque
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
from raylm.infer.sampling.outputs import Delta, RequestOutput
from raylm.infer.scheduling.admission import QueueLimits, retry_after_s
from raylm.infer.scheduling.request import Request
from raylm.models.source import ModelSource


@dataclass(slots=True, eq=False)
class _Stream:
    """What the engine has made for one caller, and the loop that caller waits in."""

    choices: int  # unfinished ones
    user: str
    priority: int
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
        self._limits = QueueLimits(
            loaded.config.max_running,
            loaded.config.max_waiting,
            loaded.config.max_waiting_per_user,
        )
        self._completed_s: deque[float] = deque(maxlen=64)
        self._engine = loaded.engine
        self._thread = EngineThread(loaded.engine, self._deliver)
        self._streams: dict[str, _Stream] = {}
        self._numbers = itertools.count()
        self._started = self._stopping = False

    async def start(self) -> None:
        if not (self._started or self._stopping):
            self._started = True
            self._thread.start()

    async def shutdown(self, drain_s: float = 0.0) -> None:
        """Take no more requests, give those there are `drain_s` to finish, fail the rest. Ends the
        workers, also of an engine that never started."""
        if self._stopping:
            return
        self._stopping = True
        if self._started:
            await self._drain(drain_s)
            await asyncio.to_thread(self._thread.stop)
        if self._workers is not None:
            await asyncio.to_thread(self._workers.close)

    async def _drain(self, timeout_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self._streams and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

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
        *,
        user: str = "",
        priority: int = 0,
    ) -> AsyncGenerator[Delta, None]:
        """One delta per token and choice; the last of each of the `n` choices says why it ended.

        A greater `priority` goes first, and of equals the `user` who was served least. Closing or
        cancelling it frees the request's blocks before the next step. Raises RequestError,
        OverloadedError, or EngineError.
        """
        request_id = self._numbered(request_id)
        requests = self._engine.requests_for(
            request_id, prompt_token_ids, params, user=user, priority=priority
        )
        stream = self._submit(requests)
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
        *,
        user: str = "",
        priority: int = 0,
    ) -> RequestOutput:
        stream = self.stream(prompt_token_ids, params, request_id, user=user, priority=priority)
        deltas = [delta async for delta in stream]
        return RequestOutput.of(request_id or "request", prompt_token_ids, deltas)

    async def embed(
        self,
        input_ids: Sequence[int],
        request_id: str | None = None,
        *,
        user: str = "",
        priority: int = 0,
    ) -> tuple[float, ...]:
        """The mean of the last layer's normed hidden states, of length 1. Waits its turn among the
        streams, and is cancelled and refused as they are."""
        request_id = self._numbered(request_id)
        request = self._engine.pooled_request(request_id, input_ids, user=user, priority=priority)
        stream = self._submit([request])
        try:
            event = await stream.events.get()
        finally:
            if self._streams.pop(request_id, None):
                self._thread.abort(request_id)
        if isinstance(event, EngineError):
            raise event
        assert event.embedding is not None
        return event.embedding

    def stats(self) -> Stats:
        """Raises EngineError once the engine has failed for good."""
        if self._thread.failure is not None:
            raise self._thread.failure
        if self._workers is not None:
            self._workers.check()
        queue = self._unfinished_by_priority() - self._engine.running_by_priority()
        return replace(self._engine.stats(), waiting=queue.total(), queue=dict(queue))

    def _numbered(self, request_id: str | None) -> str:
        """So that a name used again never hears from its namesake's last step."""
        return f"{request_id or 'request'}-{next(self._numbers)}"

    def _submit(self, requests: Sequence[Request]) -> _Stream:
        """Of one call."""
        if not self._started or self._stopping:
            state = "shutting down" if self._stopping else "not started"
            raise EngineError(f"the engine is {state} and takes no requests")
        first = requests[0]
        request_id, user = first.id, first.user
        self._require_room(user)
        stream = _Stream(len(requests), user, first.priority, asyncio.get_running_loop())
        self._streams[request_id] = stream
        try:
            self._thread.submit(requests)
        except EngineError:
            del self._streams[request_id]
            raise
        return stream

    def _require_room(self, user: str) -> None:
        unfinished = self._unfinished()
        reason = self._limits.reason_to_refuse(
            unfinished=unfinished,
            waiting_of_user=self._unfinished(user) - self._engine.running_of(user),
        )
        if reason is not None:
            waiting = max(0, unfinished - self._limits.max_running)
            wait_s = retry_after_s(waiting, tuple(self._completed_s), time.monotonic())
            raise OverloadedError(reason, retry_after_s=wait_s)

    def _unfinished(self, user: str | None = None) -> int:
        streams = list(self._streams.values())
        return sum(stream.choices for stream in streams if user in (None, stream.user))

    def _unfinished_by_priority(self) -> Counter[int]:
        counts = Counter[int]()
        for stream in list(self._streams.values()):
            counts[stream.priority] += stream.choices
        return counts

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
                    self._completed_s.append(time.monotonic())
                if not stream.choices:
                    del self._streams[request_id]
