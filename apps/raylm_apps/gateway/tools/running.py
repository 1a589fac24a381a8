"""Running what was called: all at once, each within its time, none able to hold up the answer."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from raylm_apps.gateway import tool_parts
from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.calls import ReadyCall, bounded, presentable
from raylm_apps.gateway.tools.watching import RunningCall, ToolWatch

FAILED = "The tool failed."
ERROR_CHARS = 2_000
# A tool that was cancelled may tidy up for so long; then nobody waits for it any more.
TIDY_UP_S = 1.0
logger = structlog.get_logger()


@dataclass(frozen=True)
class ToolRun:
    """The runs of one answer: for whom, and where what they tell is shown."""

    user_id: str
    chat_id: str
    message_id: str
    provider: Provider
    model: ModelCard
    publish: Callable[[Iterable[Part]], None]
    max_result_chars: int
    watch: ToolWatch

    async def run_all(self, calls: Sequence[ReadyCall]) -> None:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self._run(call))

    async def _run(self, call: ReadyCall) -> None:
        """Publishes a result or an error, and nothing of the call after it."""
        tool, is_over = call.offered.tool, False

        def emit(part: dict[str, Any]) -> None:
            if not str(part.get("type", "")).startswith("data-"):
                raise ValueError(f"a tool emits data-* parts, not {part.get('type')!r}")
            if not is_over:
                self.publish([presentable(part)])

        def show(result: Any) -> None:
            if not is_over:
                self.publish([self._output(call, result, preliminary=True)])

        context = ToolContext(
            self.user_id, self.chat_id, self.message_id, self.provider, self.model, emit, show
        )
        try:
            with self.watch.running(tool.name) as watched:
                ended = await self._outcome(call, tool.run(call.arguments, context), watched)
        finally:
            is_over = True
        self.publish([ended])

    async def _outcome(
        self, call: ReadyCall, running: Coroutine[Any, Any, Any], watched: RunningCall
    ) -> Part:
        timeout_s = call.offered.tool.timeout_s
        try:
            part = self._presented(call, await within(timeout_s, running))
            watched.outcome = "ok"
            return part
        except ToolError as error:
            text, watched.outcome = str(error).replace("\x00", "")[:ERROR_CHARS], "error"
        except TimeoutError:
            text = f"{call.name} did not finish within {timeout_s:g} s."
            watched.outcome = "timeout"
        except Exception:
            logger.exception("a tool failed", tool=call.name)
            text, watched.outcome = FAILED, "error"
        return tool_parts.output_error(call.id, text)

    def _presented(self, call: ReadyCall, result: Any) -> Part:
        try:
            return self._output(call, result)
        except (TypeError, ValueError) as error:
            logger.error("a tool's result is no JSON", tool=call.name, error=str(error)[:200])
            raise ToolError(FAILED) from None

    def _output(self, call: ReadyCall, result: Any, *, preliminary: bool = False) -> Part:
        output = bounded(presentable(result), self.max_result_chars)
        return tool_parts.output_available(call.id, output, preliminary=preliminary)


async def within(seconds: float, running: Coroutine[Any, Any, Any]) -> Any:
    """Its result, or TimeoutError; whatever happens, it is not waited for much longer."""
    task = asyncio.ensure_future(running)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=TIDY_UP_S)
        is_late = not task.done()
        if is_late:
            _let_go(task)
    if is_late or task.cancelled():
        raise TimeoutError
    return task.result()


_let_go_of: set[asyncio.Future[Any]] = set()


def _let_go(task: asyncio.Future[Any]) -> None:
    """A reference until it ends, and no complaint about what it ends with."""
    logger.error("a tool goes on after it was cancelled", task=repr(task)[:200])
    _let_go_of.add(task)
    task.add_done_callback(_forget)


def _forget(task: asyncio.Future[Any]) -> None:
    _let_go_of.discard(task)
    if not task.cancelled():
        task.exception()
