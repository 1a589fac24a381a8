"""What a model can do with documents."""

from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.tools.base import Tool
from raylm_apps.gateway.tools.create_document import CreateDocument
from raylm_apps.gateway.tools.document_shelf import DocumentShelf
from raylm_apps.gateway.tools.edit_document import EditDocument
from raylm_apps.gateway.tools.request_suggestions import RequestSuggestions
from raylm_apps.gateway.tools.update_document import UpdateDocument


def document_tools(database: Database) -> list[Tool]:
    shelf = DocumentShelf(database)
    return [
        CreateDocument(shelf),
        UpdateDocument(shelf),
        EditDocument(shelf),
        RequestSuggestions(shelf),
    ]
