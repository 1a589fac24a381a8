"""A scripted engine behind the real HTTP server: every seam of the protocol, no model."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn

from raylm.core.errors import (
    EngineError,
    ModelNotFoundError,
    OutOfMemoryError,
    OverloadedError,
)
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.core.schema import ModelConfig
from raylm.serve.openai import create_app

WORDS = ("The", " capital", " of", " France", " is", " Paris", ".")


@dataclass(frozen=True)
class FakeLogprob:
    token_id: int
    logprob: float
    top: dict[int, float]


@dataclass(frozen=True)
class FakeDelta:
    index: int
    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    logprobs: tuple[FakeLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    cached_tokens: int = 0


@dataclass(frozen=True)
class FakeStats:
    waiting: int
    running: int
    free_blocks: int
    total_blocks: int
    preemptions: int = 2
    guessed_tokens: int = 9
    held_tokens: int = 5
    queue: dict[int, int] = field(default_factory=lambda: {-1: 4, 2: 1})


class FakeTokenizer:
    """One token a character."""

    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        return [ord(character) for character in text]

    def decode(self, ids: list[int], *, skip_special_tokens: bool = True) -> str:
        return "".join(map(chr, ids))


class FakeTemplate:
    def render(self, messages: list[dict[str, str]], *, add_generation_prompt: bool = True) -> str:
        turns = [f"<{m['role']}>{m['content']}" for m in messages]
        return "".join(turns) + ("<assistant>" if add_generation_prompt else "")


@dataclass
class FakeEngine:
    """Says WORDS, one each `token_s`; `endless` repeats them. A request holds one block."""

    model_name: str = "raylm/fake"
    max_model_len: int = 200
    token_s: float = 0.0
    endless: bool = False
    overloaded: bool = False
    dead: bool = False
    fail_after: int | None = None
    tokenizer: FakeTokenizer = field(default_factory=FakeTokenizer)
    chat_template: FakeTemplate | None = field(default_factory=FakeTemplate)
    held: set[str] = field(default_factory=set)
    prompts: list[list[int]] = field(default_factory=list)
    params: list[SamplingParams] = field(default_factory=list)
    callers: list[tuple[str, int]] = field(default_factory=list)
    running: bool = False

    async def start(self) -> None:
        self.running = True

    async def shutdown(self, drain_s: float = 0.0) -> None:
        self.running = False

    async def stream(
        self,
        prompt_token_ids: list[int],
        params: SamplingParams,
        request_id: str,
        *,
        user: str = "",
        priority: int = 0,
    ) -> AsyncGenerator[FakeDelta, None]:
        if self.overloaded:
            raise OverloadedError("256 requests wait already; try again later")
        self.prompts.append(prompt_token_ids)
        self.params.append(params)
        self.callers.append((user, priority))
        self.held.add(request_id)
        try:
            for number, word in enumerate(self._words(params)):
                if number == self.fail_after:
                    raise EngineError("the kernel failed")
                await asyncio.sleep(self.token_s)
                for index in range(params.n):
                    yield self._delta(number, index, word, len(prompt_token_ids), params)
        finally:
            self.held.discard(request_id)

    def stats(self) -> FakeStats:
        if self.dead:
            raise EngineError("the engine's thread has died")
        return FakeStats(0, len(self.held), 8 - len(self.held), 8)

    def _words(self, params: SamplingParams) -> Iterator[str]:
        said = 0
        while said < (params.max_tokens or 1_000_000):
            yield WORDS[said % len(WORDS)]
            said += 1
            if said == len(WORDS) and not self.endless:
                return

    def _delta(
        self, number: int, index: int, word: str, prompt_tokens: int, params: SamplingParams
    ) -> FakeDelta:
        last = number + 1 == params.max_tokens
        stop = number + 1 == len(WORDS) and not self.endless
        reason = FinishReason.STOP if stop else FinishReason.LENGTH if last else None
        logprobs = None
        if params.logprobs is not None:
            top = {ord("x") + i: -1.0 - i for i in range(params.logprobs)}
            logprobs = (FakeLogprob(ord(word[0]), -0.5, top),)
        return FakeDelta(index, word, (number,), prompt_tokens, logprobs, reason, 3)


@dataclass
class FakeLoader:
    """Loads a FakeEngine of any name but `missing`, while there is room."""

    token_s: float = 0.0
    full: bool = False
    loaded: list[FakeEngine] = field(default_factory=list)

    def id_of(self, config: ModelConfig) -> str:
        if config.model == "missing":
            raise ModelNotFoundError("no model 'missing'")
        return config.name or f"raylm/{config.model}"

    def load(self, config: ModelConfig) -> FakeEngine:
        if self.full:
            raise OutOfMemoryError(f"{config.model!r} does not fit; unload a model")
        self.loaded.append(FakeEngine(model_name=config.model, token_s=self.token_s))
        return self.loaded[-1]


@dataclass(frozen=True)
class Server:
    url: str
    engine: FakeEngine

    def wait_until_free(self, timeout_s: float) -> float:
        """Seconds until the engine holds nothing."""
        started = time.perf_counter()
        while self.engine.held:
            if time.perf_counter() - started > timeout_s:
                raise AssertionError(f"still holds {self.engine.held}")
            time.sleep(0.001)
        return time.perf_counter() - started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(engine: FakeEngine, **options: Any) -> Iterator[Server]:
    """uvicorn in a thread, on a real socket."""
    config = uvicorn.Config(
        create_app(engine, **options), host="127.0.0.1", port=_free_port(), log_level="critical"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield Server(f"http://127.0.0.1:{config.port}", engine)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def server(engine: FakeEngine) -> Iterator[Server]:
    with serving(engine) as running:
        yield running


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=10) as client:
        yield client
