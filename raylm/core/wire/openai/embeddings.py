"""OpenAI's embeddings: texts in, vectors out."""

import base64
from array import array
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, Field

from raylm.core.errors import RequestError
from raylm.core.wire.events import Usage
from raylm.core.wire.openai.requests import Text, Wire


class EmbeddingRequest(Wire):
    """Source: https://platform.openai.com/docs/api-reference/embeddings/create"""

    model: Text
    input: Text | list[Text] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)
    user: Text = ""

    @property
    def count(self) -> int:
        """Characters of text, or tokens."""
        if isinstance(self.input, str):
            return len(self.input)
        return sum(1 if isinstance(one, int) else len(one) for one in self.input)

    def inputs(self) -> list[str] | list[list[int]]:
        """One entry per vector, each text or token ids. Raises RequestError where there is none."""
        if isinstance(self.input, str):
            return [self.input]
        if not self.input:
            raise RequestError("input is empty; send at least one text", param="input")
        if isinstance(self.input[0], int):
            return [self.input]
        return self.input

    def texts(self) -> list[str]:
        """Raises RequestError for tokens, which only OpenAI's own models know."""
        texts = [text for text in self.inputs() if isinstance(text, str)]
        if not texts:
            raise RequestError("this model takes texts, not tokens", param="input")
        return texts


class Embedding(BaseModel):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


def embedding_list(
    request: EmbeddingRequest, vectors: Sequence[Sequence[float]], usage: Usage | None
) -> EmbeddingList:
    tokens = usage.input_tokens if usage else 0
    return EmbeddingList(
        data=[
            Embedding(index=place, embedding=_encoded(request, vector))
            for place, vector in enumerate(vectors)
        ],
        model=request.model,
        usage=EmbeddingUsage(prompt_tokens=tokens, total_tokens=tokens),
    )


def _encoded(request: EmbeddingRequest, vector: Sequence[float]) -> list[float] | str:
    """Base64 is of little-endian floats of 32 bits."""
    if request.encoding_format == "float":
        return list(vector)
    return base64.b64encode(array("f", vector).tobytes()).decode()
