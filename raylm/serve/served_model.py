"""The model an app serves: its id, its engine, and how a request to it is answered."""

import time
from collections.abc import AsyncGenerator, Sequence

from pydantic import BaseModel
from starlette.responses import Response

from raylm.core.errors import ModelNotFoundError, PromptTooLongError
from raylm.core.sampling import SamplingParams
from raylm.core.wire.openai import ModelCard, SamplingRequest
from raylm.serve.answers import Answer
from raylm.serve.generation import Batch, collect, generate
from raylm.serve.meters import Meters
from raylm.serve.responses import EventStream, JsonAnswer
from raylm.serve.seam import Engine
from raylm.serve.streaming import stream_events
from raylm.serve.usage import usage_of


class ServedModel:
    def __init__(self, engine: Engine, id: str) -> None:
        self.engine = engine
        self.id = id
        self.meters = Meters(engine)
        self._created = int(time.time())

    def card(self) -> ModelCard:
        return ModelCard(
            id=self.id,
            created=self._created,
            chat_template=self.engine.chat_template is not None,
            max_model_len=self.engine.max_model_len,
        )

    def load(self) -> dict[str, int]:
        stats = self.engine.stats()
        return {
            "waiting": stats.waiting,
            "running": stats.running,
            "free_blocks": stats.free_blocks,
            "total_blocks": stats.total_blocks,
        }

    def require(self, name: str) -> None:
        """Clients may leave out the `raylm/` in front. Raises ModelNotFoundError."""
        if name not in (self.id, self.id.removeprefix("raylm/")):
            raise ModelNotFoundError(f"model {name!r} is not served here; served: {self.id!r}")

    def respond(
        self,
        request: SamplingRequest,
        params: SamplingParams,
        prompts: Sequence[list[int]],
        answer: Answer,
    ) -> Response:
        self._require_room(prompts)
        batches = self.meters.watch(generate(self.engine, prompts, params, answer.id))
        choices = len(prompts) * params.n
        if not request.stream:
            return JsonAnswer(_whole(answer, batches, choices, params.n))
        include_usage = request.stream_options.include_usage
        return EventStream(
            stream_events(answer, batches, choices, params.n, include_usage=include_usage)
        )

    def _require_room(self, prompts: Sequence[list[int]]) -> None:
        longest = max(map(len, prompts))
        if longest >= self.engine.max_model_len:
            raise PromptTooLongError(longest, self.engine.max_model_len)


async def _whole(
    answer: Answer, batches: AsyncGenerator[Batch, None], choices: int, n: int
) -> BaseModel:
    pieces = await collect(batches, choices)
    return answer.whole(pieces, usage_of(pieces, n))
