"""Which models a server will not give tools: told by its refusal, and remembered for a while."""

import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from raylm.core.wire.events import Event
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ModelCard, ToolsRefusedError
from raylm_apps.gateway.providers.refusals import RefusedError

REMEMBERED_S = 900.0
# llama.cpp answers 500, the others what a client has done wrong.
STATUSES = frozenset({400, 404, 405, 422, 500, 501})
_TOOLS = r"\W*(tools?|tool_choice|tool (use|choice|calls?|calling)|function[ _-]?call(s|ing)?)\W*"
_WORDINGS = re.compile(
    rf"(does not|doesn't|do not|don't|not|no endpoints found that) support( the)?( use of)?{_TOOLS}"
    rf"|{_TOOLS}(param(eter)? )?(is|are) (not|un)\W?(supported|enabled|available|allowed|permitted)"
    r"|tool choice requires|tools param requires"
    r"|(unsupported|unknown|unrecognized)( request)? (parameter|argument|field)s?( supplied)?:"
    r"\W*(tools|tool_choice|functions)\b(?![.\[])"
    r'|"loc": ?\["body", ?"(tools|tool_choice)"\]',
    re.IGNORECASE,
)


def refuses_tools(status: int, body: str) -> bool:
    """Whether a server's error says that the model takes no tools, in any of the usual words."""
    return status in STATUSES and _WORDINGS.search(body.replace("\\", "")) is not None


class ToolRefusals:
    """By model; forgotten in time, for a server may be started anew with tools."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    async def watched(
        self, model: ModelCard, prompt: Prompt, answer: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        """The answer; raises ToolsRefusedError where the server will not have the tools."""
        if prompt.tools and model.id in self:
            raise _no_tools(model, "it has said so lately")
        try:
            async with aclosing(answer):
                async for event in answer:
                    yield event
        except RefusedError as error:
            if prompt.tools and refuses_tools(error.status, error.body):
                self.add(model.id)
                raise _no_tools(model, error.cause) from error
            raise

    def add(self, model_id: str) -> None:
        self._until[model_id] = self._clock() + REMEMBERED_S

    def __contains__(self, model_id: str) -> bool:
        return self._until.get(model_id, float("-inf")) > self._clock()


def _no_tools(model: ModelCard, cause: str) -> ToolsRefusedError:
    return ToolsRefusedError(f"{model.name} cannot use tools, so it answers without.", cause=cause)
