"""A model writes a document while the page watches; what it has written stays, however it ends."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress

from raylm.core.wire.events import TextDelta
from raylm.core.wire.prompt import Prompt, Turn
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.store.documents import Draft, Kind, Version
from raylm_apps.gateway.tools.artifact import Artifact
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.document_content import finished
from raylm_apps.gateway.tools.document_shelf import DocumentShelf


class DocumentWriting:
    def __init__(
        self, shelf: DocumentShelf, context: ToolContext, document_id: str, title: str, kind: Kind
    ) -> None:
        self._shelf = shelf
        self._context = context
        self._id = document_id
        self._title = title
        self._kind = kind
        self._artifact = Artifact(context.emit, document_id, title, kind)

    async def run(self, turns: Sequence[Turn]) -> Version:
        """Raises ToolError where the model failed or wrote nothing of use."""
        self._artifact.open()
        try:
            await self._relay(turns)
        except asyncio.CancelledError:
            with suppress(ToolError):
                await self._keep()
            raise
        except ProviderError as error:
            await self._keep()
            raise ToolError(error.message) from error
        version = await self._keep()
        if version is None:
            raise ToolError("The model wrote nothing. Ask again in other words.")
        return version

    async def _relay(self, turns: Sequence[Turn]) -> None:
        context = self._context
        prompt = Prompt(turns, user=context.user_id)
        async with aclosing(context.provider.stream(context.model, prompt)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    self._artifact.add(event.text)
                if self._artifact.is_full:
                    break

    async def _keep(self) -> Version | None:
        """A stop waits for this: nothing may be shown after the end of the answer."""
        storing = asyncio.ensure_future(self._store())
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait((storing,))
            raise

    async def _store(self) -> Version | None:
        content = ""
        try:
            content = finished(self._kind, self._artifact.text)
            if not content:
                return None
            draft = Draft(self._title, self._kind, content)
            return await self._shelf.add(self._id, self._context.user_id, draft)
        finally:
            self._artifact.close(content)
