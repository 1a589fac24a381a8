"""What a client's format says in a stream besides the answer."""

from collections.abc import Callable
from dataclasses import dataclass

from raylm.core.wire.anthropic.stream_encoder import as_sse
from raylm_apps.gateway.answer_log import PING
from raylm_apps.gateway.inbound import messages_errors, openai_errors


@dataclass(frozen=True)
class Frames:
    """`error` ends a stream that broke off; `ping` fills a long silence."""

    error: Callable[[Exception], bytes]
    ping: bytes


OPENAI = Frames(openai_errors.error_frame, PING)
ANTHROPIC = Frames(messages_errors.error_frame, as_sse({"type": "ping"}))
