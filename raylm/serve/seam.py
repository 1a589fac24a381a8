"""What the HTTP server asks of an engine. `raylm.infer.async_engine.AsyncLLM` is the real one."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

from raylm.core.sampling import FinishReason, SamplingParams


class Logprob(Protocol):
    """Of the chosen token; `top` maps alternatives to theirs, likeliest first."""

    @property
    def token_id(self) -> int: ...
    @property
    def logprob(self) -> float: ...
    @property
    def top(self) -> Mapping[int, float]: ...


class Delta(Protocol):
    """What choice `index` of a prompt gained; its last one alone has a `finish_reason`."""

    @property
    def index(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def token_ids(self) -> Sequence[int]: ...
    @property
    def logprobs(self) -> Sequence[Logprob] | None: ...
    @property
    def finish_reason(self) -> FinishReason | None: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def cached_tokens(self) -> int: ...


class Tokenizer(Protocol):
    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]: ...
    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str: ...


class ChatTemplate(Protocol):
    def render(
        self, messages: list[dict[str, Any]], *, add_generation_prompt: bool = True
    ) -> str: ...


class Stats(Protocol):
    @property
    def waiting(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def free_blocks(self) -> int: ...
    @property
    def total_blocks(self) -> int: ...
    @property
    def preemptions(self) -> int: ...
    @property
    def guessed_tokens(self) -> int: ...
    @property
    def held_tokens(self) -> int: ...
    @property
    def queue(self) -> Mapping[int, int]:
        """How many wait, by priority."""
        ...


class Engine(Protocol):
    """Closing the generator that `stream` returns aborts the request and frees its blocks."""

    @property
    def model_name(self) -> str: ...
    @property
    def max_model_len(self) -> int: ...
    @property
    def tokenizer(self) -> Tokenizer: ...
    @property
    def chat_template(self) -> ChatTemplate | None: ...

    async def start(self) -> None: ...
    async def shutdown(self, drain_s: float = 0.0) -> None: ...

    def stream(
        self,
        prompt_token_ids: list[int],
        params: SamplingParams,
        request_id: str,
        *,
        user: str = "",
        priority: int = 0,
    ) -> AsyncGenerator[Delta, None]:
        """Users share the engine evenly; a greater priority goes first."""
        ...

    async def embed(
        self, input_ids: list[int], request_id: str, *, user: str = "", priority: int = 0
    ) -> Sequence[float]:
        """Of length 1. Cancelling it aborts the request."""
        ...

    def stats(self) -> Stats:
        """Raises EngineError once the engine has failed for good."""
        ...
