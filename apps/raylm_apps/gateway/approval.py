"""Calls that wait for a person: what is pending, what was decided, what a client may say of it.

A client gives the decision alone. Which call it is about, with what arguments, and whether it
still waits, the stored message tells.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, StrictBool, StringConstraints, ValidationError

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.tool_parts import Part, is_call
from raylm_apps.gateway.wire.error import explain
from raylm_apps.gateway.wire.question import ChatRequest

Reason = Annotated[str, StringConstraints(max_length=500)]


class Decision(BaseModel):
    """`approval` of a part whose state is `approval-responded`."""

    id: str
    approved: StrictBool
    reason: Reason | None = None

    def stored(self) -> dict[str, Any]:
        reason = {"reason": self.reason.replace("\x00", "")} if self.reason else {}
        return {"id": self.id, "approved": self.approved, **reason}


def new_approval_id() -> str:
    return f"approval_{uuid.uuid4().hex[:24]}"


def decisions_of(request: ChatRequest) -> dict[str, Decision]:
    """By approval id; none where the request is a question. Raises bad_request."""
    last = request.messages[-1] if request.messages and request.message is None else None
    if last is None or last.role != "assistant" or request.trigger != "submit-message":
        return {}
    given = [
        part.get("approval") for part in last.parts if part.get("state") == "approval-responded"
    ]
    try:
        decisions = [Decision.model_validate(approval) for approval in given]
    except ValidationError as error:
        raise ApiError("bad_request:api", f"approval.{explain(error.errors()[0])}") from None
    return {decision.id: decision for decision in decisions}


def known(parts: Sequence[Part]) -> dict[str, str]:
    """The calls by their approval's id, decided or not."""
    return {part["approval"]["id"]: part["toolCallId"] for part in parts if "approval" in part}


def pending(parts: Sequence[Part]) -> set[str]:
    """The ids of the approvals that are asked for."""
    return {part["approval"]["id"] for part in parts if part.get("state") == "approval-requested"}


def decide(parts: Sequence[Part], decisions: Mapping[str, Decision]) -> list[Part]:
    """The parts with the decisions noted on the calls that wait for them."""
    return [
        {
            **part,
            "state": "approval-responded",
            "approval": decisions[part["approval"]["id"]].stored(),
        }
        if part.get("state") == "approval-requested"
        else part
        for part in parts
    ]


def decided_calls(parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
    """The calls that were allowed, and those that were denied, and that nothing has come of yet."""
    calls = [part for part in parts if is_call(part) and part.get("state") == "approval-responded"]
    allowed = [part for part in calls if part["approval"]["approved"]]
    return allowed, [part for part in calls if part not in allowed]


class Continuation:
    """Passes on what is new to the client whose decision let an answer go on.

    That client has the message up to its question about the calls: only the start, and whatever
    follows the first outcome of one of them, is news.
    """

    def __init__(self, call_ids: set[str]) -> None:
        self._call_ids = call_ids
        self._has_begun = False

    def is_news(self, part: Part) -> bool:
        is_outcome = part["type"].startswith("tool-output-")
        if is_outcome and part.get("toolCallId") in self._call_ids:
            self._has_begun = True
        return self._has_begun or part["type"] in ("start", "finish", "abort", "error")
