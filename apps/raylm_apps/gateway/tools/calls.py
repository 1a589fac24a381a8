"""What to do with a model's calls: decided from the calls and the toolbox alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from raylm.core.suggest import did_you_mean
from raylm.core.wire.prompt import ToolCall
from raylm_apps.gateway.tools.registry import OfferedTool, Toolbox
from raylm_apps.gateway.wire.error import explain

MAX_CALLS_PER_STEP = 16
RAW_CHARS = 2_000
MAX_DEPTH = 100  # of JSON, which is written and read again by libraries with limits of their own
NO_MORE = "No more tools can be called in this answer."
TOO_MANY = f"At most {MAX_CALLS_PER_STEP} tools can be called at once."


@dataclass(frozen=True)
class ReadyCall:
    """It may run, or must wait for a person first."""

    id: str
    offered: OfferedTool
    arguments: BaseModel
    input: dict[str, Any]
    """The arguments as the model gave them."""

    @property
    def name(self) -> str:
        return self.offered.tool.name


@dataclass(frozen=True)
class RefusedCall:
    id: str
    name: str
    raw: str
    reason: str
    """For the model, which may try again."""


JudgedCall = ReadyCall | RefusedCall


def judge(calls: Sequence[ToolCall], toolbox: Toolbox, *, may_call: bool) -> list[JudgedCall]:
    return [
        _judge(call, toolbox, NO_MORE if not may_call else TOO_MANY if late else None)
        for late, call in (
            (number >= MAX_CALLS_PER_STEP, call) for number, call in enumerate(calls)
        )
    ]


def check(call_id: str, name: str, given: Any, toolbox: Toolbox) -> JudgedCall:
    """A call whose arguments have been read."""
    raw = orjson.dumps(given).decode()[:RAW_CHARS]
    if name not in toolbox:
        return RefusedCall(
            call_id, name, raw, f"There is no tool {name!r}{did_you_mean(name, toolbox)}."
        )
    if not isinstance(given, dict):
        return RefusedCall(call_id, name, raw, "The arguments must be a JSON object.")
    try:
        arguments = toolbox[name].tool.arguments.model_validate(given)
    except ValidationError as error:
        reason = "; ".join(explain(mistake) for mistake in error.errors()[:5])
        return RefusedCall(call_id, name, raw, f"The arguments are wrong: {reason}")
    return ReadyCall(call_id, toolbox[name], arguments, given)


def presentable(value: Any) -> Any:
    """As JSON without NUL, which PostgreSQL's jsonb cannot hold. Raises TypeError, ValueError."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return _without_nul(orjson.loads(orjson.dumps(value)))


def bounded(output: Any, max_chars: int) -> Any:
    """A result of bearable size: of a longer one its beginning, as text."""
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    if len(text) <= max_chars:
        return output
    return {"beginning": text[:max_chars], "omittedChars": len(text) - max_chars}


def _judge(call: ToolCall, toolbox: Toolbox, reason: str | None) -> JudgedCall:
    raw = call.arguments.replace("\x00", "")[:RAW_CHARS]
    if reason is not None:
        return RefusedCall(call.id, call.name, raw, reason)
    try:
        given = _without_nul(orjson.loads(call.arguments or "{}"))
    except ValueError as error:
        return RefusedCall(call.id, call.name, raw, f"The arguments cannot be read: {error}")
    return check(call.id, call.name, given, toolbox)


def _without_nul(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item, depth + 1) for key, item in value.items()}
    return value
