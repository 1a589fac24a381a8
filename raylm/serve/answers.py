"""How each route words what was generated: whole answers, stream chunks and usage."""

import time
import uuid
from collections.abc import Sequence
from typing import ClassVar, Protocol

from pydantic import BaseModel

from raylm.core.wire.openai import (
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
    Usage,
)
from raylm.serve.generation import Piece
from raylm.serve.logprobs import chat_logprobs, completion_logprobs
from raylm.serve.seam import Tokenizer


class Answer(Protocol):
    """`chars_before` counts the characters the choice has said; None opens it."""

    id: str

    def whole(self, pieces: Sequence[Piece], usage: Usage) -> BaseModel: ...
    def chunk(self, index: int, piece: Piece, chars_before: int | None) -> BaseModel: ...
    def usage(self, usage: Usage) -> BaseModel: ...


class _Answer:
    prefix: ClassVar[str]

    def __init__(self, model: str, tokenizer: Tokenizer, *, logprobs: bool) -> None:
        self.id = f"{self.prefix}-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._tokenizer = tokenizer
        self._logprobs = logprobs


class ChatAnswer(_Answer):
    prefix = "chatcmpl"

    def whole(self, pieces: Sequence[Piece], usage: Usage) -> ChatCompletion:
        choices = [
            ChatChoice(
                index=index,
                message=AssistantMessage(content=piece.text),
                logprobs=self._spelled(piece),
                finish_reason=piece.finish_reason,
            )
            for index, piece in enumerate(pieces)
        ]
        return ChatCompletion(
            id=self.id, created=self._created, model=self._model, choices=choices, usage=usage
        )

    def chunk(self, index: int, piece: Piece, chars_before: int | None) -> ChatCompletionChunk:
        role = "assistant" if chars_before is None else None
        choice = ChunkChoice(
            index=index,
            delta=ChoiceDelta(role=role, content=piece.text),
            logprobs=self._spelled(piece),
            finish_reason=piece.finish_reason,
        )
        return self._chunk([choice], None)

    def usage(self, usage: Usage) -> ChatCompletionChunk:
        return self._chunk([], usage)

    def _chunk(self, choices: list[ChunkChoice], usage: Usage | None) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=self.id, created=self._created, model=self._model, choices=choices, usage=usage
        )

    def _spelled(self, piece: Piece) -> ChatLogprobs | None:
        return chat_logprobs(piece.logprobs, self._tokenizer) if self._logprobs else None


class CompletionAnswer(_Answer):
    prefix = "cmpl"

    def whole(self, pieces: Sequence[Piece], usage: Usage) -> Completion:
        choices = [self._choice(index, piece, 0) for index, piece in enumerate(pieces)]
        return self._completion(choices, usage)

    def chunk(self, index: int, piece: Piece, chars_before: int | None) -> Completion:
        return self._completion([self._choice(index, piece, chars_before or 0)], None)

    def usage(self, usage: Usage) -> Completion:
        return self._completion([], usage)

    def _completion(self, choices: list[CompletionChoice], usage: Usage | None) -> Completion:
        return Completion(
            id=self.id, created=self._created, model=self._model, choices=choices, usage=usage
        )

    def _choice(self, index: int, piece: Piece, offset: int) -> CompletionChoice:
        return CompletionChoice(
            index=index,
            text=piece.text,
            logprobs=self._spelled(piece, offset),
            finish_reason=piece.finish_reason,
        )

    def _spelled(self, piece: Piece, offset: int) -> CompletionLogprobs | None:
        if not self._logprobs:
            return None
        return completion_logprobs(piece.logprobs, self._tokenizer, offset)
