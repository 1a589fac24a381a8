"""editDocument: one passage of a document replaced by another, without asking a model."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from raylm_apps.gateway.store.documents import MAX_CHARS, Draft, Version
from raylm_apps.gateway.tools.artifact import Artifact
from raylm_apps.gateway.tools.base import ToolContext, ToolError
from raylm_apps.gateway.tools.document_content import check_rows
from raylm_apps.gateway.tools.document_result import result_of
from raylm_apps.gateway.tools.document_shelf import DocumentShelf
from raylm_apps.gateway.wire.base import Id, storable


class EditDocumentArguments(BaseModel):
    id: Annotated[Id, Field(description="of the document")]
    old_string: Annotated[
        str, Field(min_length=1, max_length=MAX_CHARS, description="the passage, copied exactly")
    ]
    new_string: Annotated[str, Field(max_length=MAX_CHARS, description="what stands there then")]
    replace_all: Annotated[bool, Field(description="every such passage")] = False


class EditDocument:
    name = "editDocument"
    description = "Replace a passage of a document. The passage must occur exactly once in it."
    arguments: type[BaseModel] = EditDocumentArguments
    needs_approval = False
    timeout_s = 30.0

    def __init__(self, shelf: DocumentShelf) -> None:
        self._shelf = shelf

    async def run(self, arguments: BaseModel, context: ToolContext) -> Any:
        assert isinstance(arguments, EditDocumentArguments)
        wanted = arguments
        version = await self._shelf.edit(
            wanted.id, context.user_id, lambda newest: edited(newest, wanted)
        )
        artifact = Artifact(context.emit, version.id, version.title, version.kind)
        artifact.open()
        artifact.close(version.content)
        return result_of(version, "The document is changed. The user sees it.")


def edited(document: Version, wanted: EditDocumentArguments) -> Draft:
    """Raises ToolError."""
    count = document.content.count(wanted.old_string)
    if count == 0:
        raise ToolError("The document has no such passage. Copy old_string from it exactly.")
    if count > 1 and not wanted.replace_all:
        raise ToolError(
            f"The passage occurs {count} times. Make old_string longer, or set replace_all."
        )
    replacement = storable(wanted.new_string)
    if count * len(replacement) > 2 * MAX_CHARS:
        raise ToolError(f"The document would be longer than {MAX_CHARS} characters.")
    content = document.content.replace(wanted.old_string, replacement)
    if document.kind == "sheet":
        check_rows(content)
    return Draft(document.title, document.kind, content)
