"""An answer's parts as turns of a prompt: each step's text and calls, then the calls' results.

Thoughts and signatures go back to the provider that has made them, and to no other.
"""

from collections.abc import Sequence

import orjson

from raylm.core.wire.prompt import Thought, ToolCall, Turn
from raylm_apps.gateway.provider_metadata import signature_of
from raylm_apps.gateway.tool_parts import METADATA, Part, is_call, name_of

NO_RESULT = "Error: this call was not finished."
UNDECIDED = "The user has not said whether this may run. It did not."
DENIED = "The user denied this call."


def turns_of(parts: Sequence[Part], *, tools: bool, provider: str = "") -> list[Turn]:
    """Without `tools` only the text remains of an answer with calls, as one turn."""
    if not tools and any(map(is_call, parts)):
        text = _text(parts)
        return [Turn("assistant", text)] if text else []
    return [turn for step in _steps(parts) for turn in _step_turns(step, provider)]


def result_of(part: Part) -> str:
    """What the model is told about a stored call."""
    match part["state"]:
        case "output-available" if "preliminary" not in part:
            output = part["output"]
            return output if isinstance(output, str) else orjson.dumps(output).decode()
        case "output-error":
            return f"Error: {part['errorText']}"
        case "output-denied":
            reason = part.get("approval", {}).get("reason")
            return f"{DENIED} Their reason: {reason}" if reason else DENIED
        case "approval-requested":
            return UNDECIDED
        case _:
            return NO_RESULT


def _step_turns(step: Sequence[Part], provider: str) -> list[Turn]:
    text, calls = _text(step), [part for part in step if is_call(part)]
    if not (text or calls):
        return []
    results = [Turn("tool", result_of(call), tool_call_id=call["toolCallId"]) for call in calls]
    called = tuple(_call(part, provider) for part in calls)
    return [Turn("assistant", text, called, thoughts=_thoughts(step, provider)), *results]


def _call(part: Part, provider: str) -> ToolCall:
    """Arguments that were no JSON are left out: servers refuse a prompt that repeats them."""
    arguments = orjson.dumps(part.get("input", {})).decode()
    signature = signature_of(part.get(METADATA), provider)
    return ToolCall(part["toolCallId"], name_of(part), arguments, signature)


def _thoughts(step: Sequence[Part], provider: str) -> tuple[Thought, ...]:
    """Those that are signed: nobody wants to see the others again."""
    signed = (
        (part["text"], signature_of(part.get("providerMetadata"), provider))
        for part in step
        if part["type"] == "reasoning"
    )
    return tuple(Thought(text, signature) for text, signature in signed if signature)


def _steps(parts: Sequence[Part]) -> list[list[Part]]:
    steps: list[list[Part]] = [[]]
    for part in parts:
        if part["type"] == "step-start":
            steps.append([])
        else:
            steps[-1].append(part)
    return steps


def _text(parts: Sequence[Part]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")
