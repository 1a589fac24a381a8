"""What is asked for in a chat: an answer, in either of two shapes, or that it stops."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.wire.base import Id, Text, Wire
from raylm_apps.gateway.wire.chat import Visibility
from raylm_apps.gateway.wire.error import explain
from raylm_apps.gateway.wire.message import UserMessage


class EarlierMessage(Wire):
    """A message the client repeats; the stored one is what counts."""

    id: Text
    role: Literal["system", "user", "assistant"]
    parts: list[dict[str, Any]] = Field(default_factory=list)


class ChatRequest(Wire):
    """`message`, as the template's page sends it, or `messages`, as a stock client does."""

    id: Id
    message: UserMessage | None = None
    messages: Annotated[list[EarlierMessage], Field(max_length=10_000)] | None = None
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    message_id: Text | None = None
    selected_chat_model: Text | None = None
    selected_visibility_type: Visibility = "private"
    tool_approval: bool = Field(
        False, description="the client speaks version 6's parts about tools' approval"
    )
    reset_step: bool = Field(
        False, description="the client speaks version 7's `reset-step`: an answer may begin again"
    )

    def question(self, max_chars: int) -> UserMessage:
        """The user's message, of either shape, checked. Raises bad_request."""
        question = self.message or self._last_of_messages()
        text = question.text
        if not text.strip() and not question.files:
            raise ApiError("bad_request:api", "the message has no text")
        if len(text) > max_chars:
            raise ApiError(
                "bad_request:api", f"the message has {len(text)} characters; at most {max_chars}"
            )
        return question

    def _last_of_messages(self) -> UserMessage:
        questions = [message for message in self.messages or () if message.role == "user"]
        if not questions:
            raise ApiError("bad_request:api", "message or messages must have a user's message")
        last = questions[-1]
        try:
            return UserMessage(id=last.id, role="user", parts=last.parts)
        except ValidationError as error:
            raise ApiError("bad_request:api", explain(error.errors()[0])) from None


class StopRequest(Wire):
    message_id: Text | None = Field(None, description="stop only if this answer is the active one")
