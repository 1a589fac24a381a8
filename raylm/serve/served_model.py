"""A model an app serves: its id, its engine, and how a request to it is answered."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress

from pydantic import BaseModel
from starlette.responses import Response

from raylm.core.errors import PromptTooLongError
from raylm.core.sampling import SamplingParams
from raylm.core.wire.openai import ModelCard, SamplingRequest
from raylm.core.wire.openai.embeddings import EmbeddingList, EmbeddingRequest
from raylm.serve.answers import Answer
from raylm.serve.embeddings import embed
from raylm.serve.generation import Batch, collect, generate
from raylm.serve.meters import Meters
from raylm.serve.responses import EventStream, JsonAnswer
from raylm.serve.seam import Engine
from raylm.serve.streaming import stream_events
from raylm.serve.usage import usage_of


class ServedModel:
    """`id` is the name clients use. Who answers a request holds the model for that long."""

    def __init__(self, engine: Engine, id: str, meters: Meters) -> None:
        self.engine = engine
        self.id = id
        self._meters = meters
        self._created = int(time.time())
        self._holders = 0
        self._changed = asyncio.Event()

    @contextmanager
    def held(self) -> Iterator["ServedModel"]:
        self._holders += 1
        try:
            yield self
        finally:
            self._holders -= 1
            self._changed.set()

    async def drain(self, timeout_s: float) -> None:
        """Until nobody holds it any more, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._holders:
                    self._changed.clear()
                    await self._changed.wait()

    def card(self) -> ModelCard:
        return ModelCard(
            id=self.id,
            created=self._created,
            chat_template=self.engine.chat_template is not None,
            max_model_len=self.engine.max_model_len,
        )

    def respond(
        self,
        request: SamplingRequest,
        params: SamplingParams,
        prompts: Sequence[list[int]],
        answer: Answer,
    ) -> Response:
        self._require_room(prompts)
        generated = generate(
            self.engine, prompts, params, answer.id, user=request.user, priority=request.priority
        )
        batches = self._meters.watch(self.id, generated)
        choices = len(prompts) * params.n
        if not request.stream:
            return JsonAnswer(_whole(answer, batches, choices, params.n))
        include_usage = request.stream_options.include_usage
        return EventStream(
            stream_events(answer, batches, choices, params.n, include_usage=include_usage)
        )

    def embed(self, request: EmbeddingRequest) -> Response:
        return JsonAnswer(self._embedded(request))

    async def _embedded(self, request: EmbeddingRequest) -> EmbeddingList:
        answer = await embed(self.engine, request.model_copy(update={"model": self.id}))
        self._meters.embedded(self.id, answer.usage.prompt_tokens)
        return answer

    def _require_room(self, prompts: Sequence[list[int]]) -> None:
        longest = max(map(len, prompts))
        if longest >= self.engine.max_model_len:
            raise PromptTooLongError(longest, self.engine.max_model_len)


async def _whole(
    answer: Answer, batches: AsyncGenerator[Batch, None], choices: int, n: int
) -> BaseModel:
    pieces = await collect(batches, choices)
    return answer.whole(pieces, usage_of(pieces, n))
