"""An answer being written, detached from the request that asked for it.

It owns the provider's and the tools' work and outlives every reader; only `stop` and the end of
the process cut it short, and then what there is stays.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from raylm.core.wire.events import GeneratedFile, Usage
from raylm_apps.gateway.answer_log import AnswerKey, AnswerLog
from raylm_apps.gateway.answering import Answering
from raylm_apps.gateway.conversation import Conversation
from raylm_apps.gateway.ending import Ending
from raylm_apps.gateway.providers.base import Provider, ProviderError
from raylm_apps.gateway.store.answers import AnswerState, AnswerWriter
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.stream_writer import StreamWriter
from raylm_apps.gateway.telemetry import Metrics
from raylm_apps.gateway.titles import Titling
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.tools.registry import Toolbox
from raylm_apps.gateway.tools.running import ToolRun
from raylm_apps.gateway.tools.watching import ToolWatch
from raylm_apps.gateway.ui_message import MessageFold, UiMessageWriter, title_part

# A database that is away must not hold back the end of the stream; the answer is saved later.
SAVE_PATIENCE_S = 1.0
# Nor must a title that is still being thought of; it is stored whenever it comes.
TITLE_PATIENCE_S = 0.5
FIRST_TOKENS = frozenset({"text-start", "reasoning-start", "tool-input-start", "file"})
UNEXPECTED = "Something went wrong while answering. Please try again."
logger = structlog.get_logger()


@dataclass(frozen=True)
class ToolLimits:
    max_steps: int
    max_result_chars: int


class Generation:
    def __init__(
        self,
        answer: Message,
        conversation: Conversation,
        provider: Provider,
        toolbox: Toolbox,
        limits: ToolLimits,
        *,
        keep_file: Callable[[GeneratedFile], Awaitable[Part]],
        titling: Titling | None,
        streams: StreamWriter,
        answers: AnswerWriter,
        metrics: Metrics,
        tool_watch: ToolWatch,
    ) -> None:
        self.user_id = conversation.user_id
        self.log = AnswerLog(AnswerKey(answer.chat_id, answer.id), replaces=bool(answer.parts))
        self._answer = answer
        self._model = conversation.model
        self._titling = titling
        self._streams = streams
        self._answers = answers
        self._metrics = metrics
        self._writer = UiMessageWriter(answer.id, conversation.model.provider)
        self._fold = MessageFold(answer.parts)
        self._answering = Answering(
            conversation,
            provider,
            toolbox,
            self._tool_run(provider, limits, tool_watch),
            self._writer,
            self._fold,
            self._publish,
            keep_file=keep_file,
            max_tool_steps=limits.max_steps,
            usage=usage_of(answer),
        )
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
        self._begin()
        ending = (await self._ask()).having_used(self._answering.usage)
        self._publish(self._writer.close_block())
        self._publish(self._fold.closing_parts())
        await self._store(ending)
        await self._wait_for_title(ending)
        self._publish(ending.parts())
        self.log.end(ending.status)
        self._streams.grown(self.log)
        self._metrics.answer_ended(self._model.id, ending.status)

    def cut_short(self, status: Status) -> None:
        """Cancel the provider's and the tools' work; what has been written stays, as `status`."""
        self._cut_short_as = status
        if self._asking is not None:
            self._asking.cancel()

    def checkpoint(self) -> None:
        """Hand what has grown since the last time to the database's next batch."""
        asking = self._asking is not None and not self._asking.done()
        if asking and len(self.log.frames) > self._stored_events:
            self._answers.save(self._state(Status.STREAMING, {}))

    def _begin(self) -> None:
        """An answer that goes on begins its stream with what there is of it, for new readers."""
        metadata = metadata_of(self._answer)
        title = self._titling.cut if self._titling else None
        for part in (
            *self._writer.start(metadata, title),
            *self._writer.replay(self._answer.parts),
        ):
            self.log.append(part)
        self.log.repeated = len(self.log.frames) - 1 if self._answer.parts else 0
        self._streams.grown(self.log)
        if self._titling:
            self._titling.begin(self._show_title)

    async def _ask(self) -> Ending:
        if self._cut_short_as is not None:
            return Ending(self._cut_short_as)
        self._asking = asyncio.create_task(self._answer_or_fail())
        await asyncio.wait((self._asking,))
        if self._asking.cancelled():
            return Ending(self._cut_short_as or Status.INTERRUPTED)
        return self._asking.result()

    async def _answer_or_fail(self) -> Ending:
        try:
            return Ending.completed(await self._answering.run())
        except ProviderError as error:
            logger.warning("provider failed", model=self._model.id, cause=error.cause)
            return Ending.failed(error.message)
        except Exception:
            logger.exception("answering failed", model=self._model.id)
            return Ending.failed(UNEXPECTED)

    def _publish(self, parts: Iterable[Part]) -> None:
        for part in parts:
            self._fold.add(part)
            self.log.append(part)
            self._note_first_token(part)
        self._streams.grown(self.log)

    def _show_title(self, title: str) -> None:
        if self.log.ending is None:
            self._publish([title_part(title)])

    async def _wait_for_title(self, ending: Ending) -> None:
        if self._titling and ending.status is Status.COMPLETE:
            await self._titling.wait(TITLE_PATIENCE_S)

    async def _store(self, ending: Ending) -> None:
        saved = self._answers.save(self._state(ending.status, ending.details))
        try:
            async with asyncio.timeout(SAVE_PATIENCE_S):
                await saved.wait()
        except TimeoutError:
            logger.warning("the answer is not stored yet", id=self._answer.id)

    def _state(self, status: Status, details: dict[str, Any]) -> AnswerState:
        self._stored_events = len(self.log.frames)
        return AnswerState(
            self._answer.chat_id, self._answer.id, status, self._fold.parts(), details
        )

    def _note_first_token(self, part: Part) -> None:
        if self._started_at and part["type"] in FIRST_TOKENS:
            self._metrics.first_token(self._model.id, time.monotonic() - self._started_at)
            self._started_at = 0.0

    def _tool_run(self, provider: Provider, limits: ToolLimits, watch: ToolWatch) -> ToolRun:
        return ToolRun(
            self.user_id,
            *self.key,
            provider,
            self._model,
            self._publish,
            limits.max_result_chars,
            watch,
        )


def usage_of(message: Message) -> Usage | None:
    """What an answer that goes on has used before."""
    usage = message.details.get("usage")
    return Usage(usage["inputTokens"], usage["outputTokens"]) if usage else None


def metadata_of(message: Message) -> dict[str, Any]:
    """What clients are told about a message beside its parts."""
    metadata: dict[str, Any] = {
        "status": message.status,
        "createdAt": message.created_at.isoformat(),
    }
    if message.model is not None:
        metadata["model"] = message.model
    return {**metadata, **message.details}
