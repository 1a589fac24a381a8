"""Texts of a client that speaks OpenAI's format, to be made vectors by whichever provider can."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from raylm.core.errors import RequestError
from raylm.core.wire.events import Usage
from raylm.core.wire.openai.embeddings import EmbeddingRequest, embedding_list
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.inbound.relayed_answer import relayed_answer
from raylm_apps.gateway.providers.base import (
    Embedder,
    ModelCard,
    Provider,
    Relay,
    embedder_of,
    relay_of,
)


class EmbeddingCall:
    path = "/embeddings"
    stream = False
    goes_on = False

    def __init__(self, request: EmbeddingRequest, body: Mapping[str, Any]) -> None:
        self.body = body
        self.usage: Usage | None = None
        self._request = request

    @property
    def size(self) -> Size:
        return Size(self._request.count, max_tokens=0)

    def start(
        self, card: ModelCard, provider: Provider, said: Sequence[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The whole answer. Raises RequestError for a model that makes no vectors."""
        if (relay := relay_of(provider)) is not None:
            return self._relayed(relay, card)
        if (embedder := embedder_of(provider)) is not None and card.embeds:
            return self._translated(embedder, card)
        raise RequestError(f"{card.id} makes no embeddings", param="model")

    async def _relayed(self, relay: Relay, card: ModelCard) -> AsyncGenerator[bytes, None]:
        answer, self.usage = await relayed_answer(relay, card, self.path, self.body)
        yield answer

    async def _translated(self, embedder: Embedder, card: ModelCard) -> AsyncGenerator[bytes, None]:
        request = self._request
        vectors, self.usage = await embedder.embed(card, request.texts(), request.dimensions)
        yield embedding_list(request, vectors, self.usage).model_dump_json().encode()
