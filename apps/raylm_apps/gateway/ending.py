"""How an answer ended: what its message and its readers are told."""

from dataclasses import dataclass, field, replace
from typing import Any

from raylm.core.wire.events import Finished, Usage
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.tool_parts import Part
from raylm_apps.gateway.ui_message import abort_parts, error_parts, finish_parts


@dataclass(frozen=True)
class Ending:
    status: Status
    details: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def completed(cls, finished: Finished) -> "Ending":
        answered = {"answeredBy": finished.model} if finished.model else {}
        return cls(Status.COMPLETE, {"finishReason": finished.reason, **answered})

    @classmethod
    def failed(cls, message: str) -> "Ending":
        return cls(Status.ERROR, {"error": message})

    def having_used(self, usage: Usage | None) -> "Ending":
        if usage is None:
            return self
        counts = {"inputTokens": usage.input_tokens, "outputTokens": usage.output_tokens}
        return replace(self, details={**self.details, "usage": counts})

    def parts(self) -> list[Part]:
        metadata = {"status": self.status, **self.details}
        match self.status:
            case Status.COMPLETE:
                return finish_parts(metadata)
            case Status.ERROR:
                return error_parts(metadata, self.details["error"])
            case _:
                return abort_parts(metadata)
