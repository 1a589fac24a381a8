"""createDocument: the model writes a new document beside the chat."""

import uuid
from typing import Annotated, Any

from pydantic import BaseModel, Field

from raylm_apps.gateway.store.documents import MAX_TITLE_CHARS, Kind
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.document_prompts import creation
from raylm_apps.gateway.tools.document_result import result_of
from raylm_apps.gateway.tools.document_shelf import DocumentShelf
from raylm_apps.gateway.tools.document_writing import DocumentWriting
from raylm_apps.gateway.wire.base import storable


class CreateDocumentArguments(BaseModel):
    title: Annotated[
        str, Field(min_length=1, max_length=2_000, description="what the document is about")
    ]
    kind: Annotated[
        Kind, Field(description="text for prose, code for a program, sheet for a table")
    ] = "text"


class CreateDocument:
    name = "createDocument"
    description = (
        "Write a document that the user sees beside the chat, edits and keeps: prose, a program or "
        "a table. Its content is written from the title. Not for short answers."
    )
    arguments: type[BaseModel] = CreateDocumentArguments
    needs_approval = False
    timeout_s = 300.0

    def __init__(self, shelf: DocumentShelf) -> None:
        self._shelf = shelf

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        assert isinstance(arguments, CreateDocumentArguments)
        if arguments.kind == "image":
            raise ToolError("No model here makes images. The kinds are text, code and sheet.")
        title = one_line(arguments.title)
        writing = DocumentWriting(self._shelf, context, str(uuid.uuid4()), title, arguments.kind)
        version = await writing.run(creation(arguments.title, arguments.kind))
        return result_of(version, "The document is written, and the user sees it.")


def one_line(title: str) -> str:
    words = " ".join(storable(title).split())
    return words[:MAX_TITLE_CHARS].rstrip() or "Untitled"
