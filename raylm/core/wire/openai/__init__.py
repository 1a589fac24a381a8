"""OpenAI's wire format, shared by the engine's HTTP server and by clients of it."""

from raylm.core.wire.openai.errors import ErrorBody, ErrorDetail
from raylm.core.wire.openai.requests import (
    ChatCompletionRequest,
    CompletionRequest,
    Message,
    SamplingRequest,
)
from raylm.core.wire.openai.responses import (
    AssistantMessage,
    ChatChoice,
    ChatCompletion,
    ChatCompletionChunk,
    ChatLogprobs,
    ChoiceDelta,
    ChunkChoice,
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    ModelCard,
    ModelDeleted,
    ModelList,
    PromptTokensDetails,
    TokenLogprob,
    TopLogprob,
    Usage,
)

__all__ = [
    "AssistantMessage",
    "ChatChoice",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionRequest",
    "ChatLogprobs",
    "ChoiceDelta",
    "ChunkChoice",
    "Completion",
    "CompletionChoice",
    "CompletionLogprobs",
    "CompletionRequest",
    "ErrorBody",
    "ErrorDetail",
    "Message",
    "ModelCard",
    "ModelDeleted",
    "ModelList",
    "PromptTokensDetails",
    "SamplingRequest",
    "TokenLogprob",
    "TopLogprob",
    "Usage",
]
