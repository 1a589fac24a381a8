"""A tool's call as parts: events on the wire, and the one part that a message keeps of it.

All but the three parts about approval are version 5's; those go only to clients that ask for
them. `tool-<name>` is the stored part's type, its `state` tells how far the call has come.
"""

from typing import Any

Part = dict[str, Any]
METADATA = "callProviderMetadata"  # of a stored call; on the wire it is `providerMetadata`


def input_start(call_id: str, name: str) -> Part:
    return {"type": "tool-input-start", "toolCallId": call_id, "toolName": name}


def input_delta(call_id: str, text: str) -> Part:
    return {"type": "tool-input-delta", "toolCallId": call_id, "inputTextDelta": text}


def input_available(call_id: str, name: str, arguments: Any, **metadata: Any) -> Part:
    start = input_start(call_id, name)
    return {**start, "type": "tool-input-available", "input": arguments, **metadata}


def input_error(call_id: str, name: str, raw: Any, text: str, **metadata: Any) -> Part:
    start = input_start(call_id, name)
    return {**start, "type": "tool-input-error", "input": raw, "errorText": text, **metadata}


def output_available(call_id: str, output: Any, *, preliminary: bool = False) -> Part:
    part = {"type": "tool-output-available", "toolCallId": call_id, "output": output}
    return {**part, "preliminary": True} if preliminary else part


def output_error(call_id: str, text: str) -> Part:
    return {"type": "tool-output-error", "toolCallId": call_id, "errorText": text}


def output_denied(call_id: str) -> Part:
    return {"type": "tool-output-denied", "toolCallId": call_id}


def approval_request(approval_id: str, call_id: str) -> Part:
    return {"type": "tool-approval-request", "approvalId": approval_id, "toolCallId": call_id}


def is_call(part: Part) -> bool:
    """Whether a stored part is a call."""
    return "toolCallId" in part


def name_of(part: Part) -> str:
    return str(part["type"]).removeprefix("tool-")


def folded(stored: Part, event: Part) -> Part:
    """The stored part (empty before the first event) after one more event of its call."""
    match event["type"]:
        case "tool-input-start":
            return _begun(event, state="input-streaming")
        case "tool-input-available":
            return _begun(event, state="input-available", input=event["input"])
        case "tool-input-error":
            text = event["errorText"]
            return _begun(event, state="output-error", rawInput=event["input"], errorText=text)
        case "tool-approval-request":
            approval = {"id": event["approvalId"]}
            return {**stored, "state": "approval-requested", "approval": approval}
        case "tool-output-available":
            more = {"preliminary": True} if event.get("preliminary") else {}
            return _ended(stored, "output-available", output=event["output"], **more)
        case "tool-output-error":
            return _ended(stored, "output-error", errorText=event["errorText"])
        case "tool-output-denied":
            return _ended(stored, "output-denied", approved=False)
        case _:
            return stored


def unfinished(part: Part, text: str) -> Part | None:
    """The event that ends a call which nobody works on any more; None where it needs none."""
    call_id, state = part["toolCallId"], part["state"]
    if state == "input-streaming":
        return input_error(call_id, name_of(part), "", text)
    if state in ("input-available", "approval-responded") or part.get("preliminary"):
        return output_error(call_id, text)
    return None


def replayed(part: Part) -> list[Part]:
    """The events that make a stored part again."""
    call_id, name = part["toolCallId"], name_of(part)
    metadata = {"providerMetadata": part[METADATA]} if METADATA in part else {}
    if "rawInput" in part:
        raw = input_error(call_id, name, part["rawInput"], part["errorText"], **metadata)
        return [input_start(call_id, name), raw]
    if "input" not in part:
        return [input_start(call_id, name)]
    events = [input_available(call_id, name, part["input"], **metadata)]
    if "approval" in part:
        events.append(approval_request(part["approval"]["id"], call_id))
    match part["state"]:
        case "output-available":
            preliminary = "preliminary" in part
            events.append(output_available(call_id, part["output"], preliminary=preliminary))
        case "output-error":
            events.append(output_error(call_id, part["errorText"]))
        case "output-denied":
            events.append(output_denied(call_id))
    return events


def _begun(event: Part, **fields: Any) -> Part:
    if "providerMetadata" in event:
        fields[METADATA] = event["providerMetadata"]
    return {"type": f"tool-{event['toolName']}", "toolCallId": event["toolCallId"], **fields}


def _ended(stored: Part, state: str, *, approved: bool = True, **fields: Any) -> Part:
    left = {name: stored[name] for name in stored if name not in ("output", "preliminary")}
    if "approval" in stored:
        left["approval"] = {**stored["approval"], "approved": approved}
    return {**left, "state": state, **fields}
