"""An answer being written, detached from the request that asked for it.

It owns the provider call and outlives every reader; only `stop` and the end of the process cut
it short, and then what there is stays.
"""

import asyncio
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import structlog

from raylm_apps.gateway.answer_log import AnswerKey, AnswerLog
from raylm_apps.gateway.providers.base import Finished, Prompt, Provider, ProviderError
from raylm_apps.gateway.store.answers import AnswerState, AnswerWriter
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.stream_writer import StreamWriter
from raylm_apps.gateway.telemetry import Metrics
from raylm_apps.gateway.ui_message import (
    MessageFold,
    Part,
    UiMessageWriter,
    abort_parts,
    error_parts,
    finish_parts,
)

# A database that is away must not hold back the end of the stream; the answer is saved later.
SAVE_PATIENCE_S = 1.0
UNEXPECTED = "Something went wrong while answering. Please try again."
logger = structlog.get_logger()


@dataclass(frozen=True)
class Ending:
    status: Status
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def completed(cls, finished: Finished) -> "Ending":
        details: dict[str, Any] = {"finishReason": finished.reason}
        if finished.usage:
            usage = finished.usage
            details["usage"] = {
                "inputTokens": usage.input_tokens,
                "outputTokens": usage.output_tokens,
            }
        return cls(Status.COMPLETE, details)

    @classmethod
    def failed(cls, message: str) -> "Ending":
        return cls(Status.ERROR, {"error": message})

    def parts(self) -> list[Part]:
        metadata = {"status": self.status, **self.details}
        match self.status:
            case Status.COMPLETE:
                return finish_parts(metadata)
            case Status.ERROR:
                return error_parts(metadata, self.details["error"])
            case _:
                return abort_parts(metadata)


class Generation:
    def __init__(
        self,
        answer: Message,
        user_id: str,
        provider: Provider,
        prompt: Prompt,
        *,
        title: str | None,
        streams: StreamWriter,
        answers: AnswerWriter,
        metrics: Metrics,
    ) -> None:
        self.user_id = user_id
        self.log = AnswerLog(AnswerKey(answer.chat_id, answer.id))
        self._answer = answer
        self._title = title
        self._provider = provider
        self._prompt = prompt
        self._streams = streams
        self._answers = answers
        self._metrics = metrics
        self._writer = UiMessageWriter(answer.id)
        self._fold = MessageFold()
        self._stored_events = 0
        self._started_at = time.monotonic()
        self._cut_short_as: Status | None = None
        self._asking: asyncio.Task[Ending] | None = None

    @property
    def key(self) -> AnswerKey:
        return self.log.key

    async def run(self) -> None:
        """The life of one answer: ask, relay every part, store the whole, tell the readers."""
        self._streams.open(self.log)
        self._publish(self._writer.start(metadata_of(self._answer), self._title))
        ending = await self._ask()
        self._publish(self._writer.close_block())
        await self._store(ending)
        self._publish(ending.parts())
        self.log.end(ending.status)
        self._streams.grown(self.log)
        self._metrics.answer_ended(self._prompt.model.id, ending.status)

    def cut_short(self, status: Status) -> None:
        """Cancel the provider's work; what has been written stays, under that status."""
        self._cut_short_as = status
        if self._asking is not None:
            self._asking.cancel()

    def checkpoint(self) -> None:
        """Hand what has grown since the last time to the database's next batch."""
        asking = self._asking is not None and not self._asking.done()
        if asking and len(self.log.data) > self._stored_events:
            self._answers.save(self._state(Status.STREAMING, {}))

    async def _ask(self) -> Ending:
        if self._cut_short_as is not None:
            return Ending(self._cut_short_as)
        self._asking = asyncio.create_task(self._relay())
        await asyncio.wait((self._asking,))
        if self._asking.cancelled():
            return Ending(self._cut_short_as or Status.INTERRUPTED)
        return self._asking.result()

    async def _relay(self) -> Ending:
        finished = Finished()
        try:
            async with aclosing(self._provider.stream(self._prompt)) as events:
                async for event in events:
                    if isinstance(event, Finished):
                        finished = event
                    else:
                        self._note_first_token()
                        self._publish(self._writer.write(event))
        except ProviderError as error:
            logger.warning("provider failed", model=self._prompt.model.id, cause=error.cause)
            return Ending.failed(error.message)
        except Exception:
            logger.exception("answering failed", model=self._prompt.model.id)
            return Ending.failed(UNEXPECTED)
        return Ending.completed(finished)

    def _publish(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._fold.add(part)
            self.log.append(part)
        self._streams.grown(self.log)

    async def _store(self, ending: Ending) -> None:
        saved = self._answers.save(self._state(ending.status, ending.details))
        try:
            async with asyncio.timeout(SAVE_PATIENCE_S):
                await saved.wait()
        except TimeoutError:
            logger.warning("the answer is not stored yet", id=self._answer.id)

    def _state(self, status: Status, details: dict[str, Any]) -> AnswerState:
        self._stored_events = len(self.log.data)
        return AnswerState(
            self._answer.chat_id, self._answer.id, status, self._fold.parts(), details
        )

    def _note_first_token(self) -> None:
        if self._started_at:
            self._metrics.first_token(self._prompt.model.id, time.monotonic() - self._started_at)
            self._started_at = 0.0


def metadata_of(message: Message) -> dict[str, Any]:
    """What clients are told about a message beside its parts."""
    metadata: dict[str, Any] = {
        "status": message.status,
        "createdAt": message.created_at.isoformat(),
    }
    if message.model is not None:
        metadata["model"] = message.model
    return {**metadata, **message.details}
