"""requestSuggestions: the model reads a document and proposes better sentences."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from raylm.core.wire.events import TextDelta
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.store.documents import Version
from raylm_apps.gateway.tools.artifact import show
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.document_prompts import review
from raylm_apps.gateway.tools.document_result import result_of
from raylm_apps.gateway.tools.document_shelf import DocumentShelf
from raylm_apps.gateway.tools.suggestion_list import MAX_TEXT_CHARS, Change, changes_in
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.document import SuggestionView

MAX_SUGGESTIONS = 5
MAX_READINGS = 100


class RequestSuggestionsArguments(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    document_id: Annotated[Id, Field(alias="documentId", description="of the document")]


class RequestSuggestions:
    name = "requestSuggestions"
    description = "Suggest improvements of a document, which the user applies or dismisses."
    arguments: type[BaseModel] = RequestSuggestionsArguments
    needs_approval = False
    timeout_s = 120.0

    def __init__(self, shelf: DocumentShelf) -> None:
        self._shelf = shelf

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        assert isinstance(arguments, RequestSuggestionsArguments)
        document = await self._shelf.newest(arguments.document_id, context.user_id)
        if document.kind not in ("text", "code"):
            raise ToolError(f"There are no suggestions for a document of kind {document.kind}.")
        count = 0
        try:
            async with aclosing(_changes(document, context)) as changes:
                async for change in changes:
                    suggestion = await self._shelf.suggest(document, change)
                    view = SuggestionView.of(suggestion)
                    show(context.emit, "suggestion", view.model_dump(mode="json", by_alias=True))
                    count += 1
        except ProviderError as error:
            raise ToolError(error.message) from error
        message = f"{count} suggestions are shown to the user." if count else "Nothing to suggest."
        return result_of(document, message)


async def _changes(document: Version, context: ToolContext) -> AsyncGenerator[Change, None]:
    """Each as soon as the model has written it; when it has said enough, it is stopped."""
    turns = review(document, MAX_SUGGESTIONS, context.model)
    prompt = Prompt(turns, user=context.user_id)
    text, seen, readings = "", set[str](), 0
    async with aclosing(context.provider.stream(context.model, prompt)) as events:
        async for event in events:
            if not isinstance(event, TextDelta):
                continue
            text += event.text
            if "}" in event.text:
                readings += 1
                for change in changes_in(text, document.content):
                    if change.original not in seen:
                        seen.add(change.original)
                        yield change
                    if len(seen) == MAX_SUGGESTIONS:
                        return
            if len(text) > MAX_TEXT_CHARS or readings == MAX_READINGS:
                return
