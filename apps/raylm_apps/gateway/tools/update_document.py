"""updateDocument: the model rewrites a document as the user wishes."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.document_prompts import revision
from raylm_apps.gateway.tools.document_result import result_of
from raylm_apps.gateway.tools.document_shelf import DocumentShelf
from raylm_apps.gateway.tools.document_writing import DocumentWriting
from raylm_apps.gateway.wire.base import Id


class UpdateDocumentArguments(BaseModel):
    id: Annotated[Id, Field(description="of the document")]
    description: Annotated[
        str, Field(min_length=1, max_length=4_000, description="what is to change")
    ]


class UpdateDocument:
    name = "updateDocument"
    description = "Rewrite a whole document as described. For small changes use editDocument."
    arguments: type[BaseModel] = UpdateDocumentArguments
    needs_approval = False
    timeout_s = 300.0

    def __init__(self, shelf: DocumentShelf) -> None:
        self._shelf = shelf

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        assert isinstance(arguments, UpdateDocumentArguments)
        document = await self._shelf.newest(arguments.id, context.user_id)
        if document.kind == "image":
            raise ToolError("No model here changes images.")
        turns = revision(document, arguments.description, context.model)
        writing = DocumentWriting(self._shelf, context, document.id, document.title, document.kind)
        return result_of(await writing.run(turns), "The document is rewritten. The user sees it.")
