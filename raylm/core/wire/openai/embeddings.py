"""OpenAI's embeddings: texts in, vectors out."""

import base64
from array import array
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

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

    def texts(self) -> list[str]:
        """Raises RequestError for tokens, which only OpenAI's own models know."""
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not texts:
            raise RequestError("input is empty; send at least one text", param="input")
        if not all(isinstance(text, str) for text in texts):
            raise RequestError("this model takes texts, not tokens", param="input")
        return [text for text in texts if isinstance(text, str)]


def embeddings_answer(
    request: EmbeddingRequest, vectors: Sequence[Sequence[float]], usage: Usage | None
) -> dict[str, Any]:
    tokens = usage.input_tokens if usage else 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": _encoded(request, vector)}
            for place, vector in enumerate(vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _encoded(request: EmbeddingRequest, vector: Sequence[float]) -> list[float] | str:
    """Base64 is of little-endian floats of 32 bits."""
    if request.encoding_format == "float":
        return list(vector)
    return base64.b64encode(array("f", vector).tobytes()).decode()
