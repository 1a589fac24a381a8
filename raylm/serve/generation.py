"""One request's generations: its engine streams merged, joined only where more is ready."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Self

from raylm.core.sampling import SamplingParams
from raylm.serve.seam import Delta, Engine, Logprob


@dataclass(frozen=True, slots=True)
class Piece:
    """What one choice gained since its reader last looked."""

    text: str = ""
    token_count: int = 0
    logprobs: tuple[Logprob, ...] = ()
    finish_reason: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0

    @classmethod
    def of(cls, delta: Delta) -> Self:
        return cls(
            text=delta.text,
            token_count=len(delta.token_ids),
            logprobs=tuple(delta.logprobs or ()),
            finish_reason=delta.finish_reason,
            prompt_tokens=delta.prompt_tokens,
            cached_tokens=delta.cached_tokens,
        )

    def counts(self) -> Self:
        """Without what was said."""
        return replace(self, text="", logprobs=())

    def __add__(self, later: "Piece") -> "Piece":
        return Piece(
            text=self.text + later.text,
            token_count=self.token_count + later.token_count,
            logprobs=self.logprobs + later.logprobs,
            finish_reason=later.finish_reason,
            prompt_tokens=later.prompt_tokens,
            cached_tokens=later.cached_tokens,
        )


Batch = dict[int, Piece]  # by choice index


async def generate(
    engine: Engine,
    prompts: Sequence[list[int]],
    params: SamplingParams,
    request_id: str,
    *,
    user: str = "",
    priority: int = 0,
) -> AsyncGenerator[Batch, None]:
    """Yield whatever is ready, at once; the n choices of prompt p are numbered from p * n.

    Closing this generator aborts every stream before it returns.
    """
    mailbox = _Mailbox(len(prompts))
    streams = [
        engine.stream(prompt, params, f"{request_id}-{number}", user=user, priority=priority)
        for number, prompt in enumerate(prompts)
    ]
    readers = [
        asyncio.create_task(_read(stream, number * params.n, mailbox))
        for number, stream in enumerate(streams)
    ]
    try:
        while batch := await mailbox.take():
            yield batch
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def collect(batches: AsyncGenerator[Batch, None], choices: int) -> list[Piece]:
    """The whole of every choice."""
    whole = [Piece()] * choices
    async with aclosing(batches):
        async for batch in batches:
            for index, piece in batch.items():
                whole[index] += piece
    return whole


async def _read(stream: AsyncGenerator[Delta, None], first: int, mailbox: "_Mailbox") -> None:
    try:
        async with aclosing(stream):
            async for delta in stream:
                mailbox.put(first + delta.index, Piece.of(delta))
        mailbox.close()
    except Exception as error:  # raised again in the reader of the mailbox
        mailbox.fail(error)


class _Mailbox:
    """Many writers, one reader, who gets all that has gathered since the last look."""

    def __init__(self, writers: int) -> None:
        self._open = writers
        self._gathered: Batch = {}
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def put(self, index: int, piece: Piece) -> None:
        earlier = self._gathered.get(index)
        self._gathered[index] = piece if earlier is None else earlier + piece
        self._changed.set()

    def close(self) -> None:
        self._open -= 1
        self._changed.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._changed.set()

    async def take(self) -> Batch:
        """An empty batch once every writer has closed; raises a failure after what came before."""
        while not self._gathered and self._open and self._error is None:
            self._changed.clear()
            await self._changed.wait()
        if not self._gathered and self._error is not None:
            raise self._error
        batch, self._gathered = self._gathered, {}
        return batch
