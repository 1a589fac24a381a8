"""A user's documents as tools reach them: what cannot be done becomes a ToolError."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from raylm_apps.gateway.store import documents, suggestions, users
from raylm_apps.gateway.store.documents import DocumentLimitError, Draft, Version
from raylm_apps.gateway.store.pool import Connection, Database, OutageError
from raylm_apps.gateway.store.suggestions import Suggestion
from raylm_apps.gateway.tools.base import ToolError
from raylm_apps.gateway.tools.suggestion_list import Change


class DocumentShelf:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, document_id: str, user_id: str) -> Version:
        async with self._transaction() as connection:
            owner_id = await users.current_id(connection, user_id)
            return await _newest(connection, document_id, owner_id)

    async def add(self, document_id: str, user_id: str, draft: Draft) -> Version:
        async with self._transaction() as connection:
            owner_id = await users.current_id(connection, user_id)
            added = await documents.add(connection, document_id, owner_id, draft)
        if added is None:
            raise _unknown(document_id)
        return added

    async def edit(
        self, document_id: str, user_id: str, change: Callable[[Version], Draft]
    ) -> Version:
        """A new version made from the newest, with nobody else's in between."""
        async with self._transaction() as connection:
            owner_id = await users.current_id(connection, user_id)
            if not await documents.lock(connection, document_id, owner_id):
                raise _unknown(document_id)
            draft = change(await _newest(connection, document_id, owner_id))
            added = await documents.add(connection, document_id, owner_id, draft)
        assert added is not None
        return added

    async def suggest(self, version: Version, change: Change) -> Suggestion:
        async with self._transaction() as connection:
            added = await suggestions.add(
                connection,
                str(uuid.uuid4()),
                version.id,
                version.created_at,
                version.user_id,
                change.original,
                change.suggested,
                change.description,
            )
        if added is None:
            raise ToolError("The version that the suggestions are for has been deleted.")
        return added

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        try:
            async with self._database.transaction() as connection:
                yield connection
        except DocumentLimitError as error:
            raise ToolError(f"This cannot be stored: {error}.") from error
        except OutageError as error:
            raise ToolError("Documents cannot be reached at the moment. Try again.") from error


async def _newest(connection: Connection, document_id: str, user_id: str) -> Version:
    found = await documents.version(connection, document_id, user_id)
    if found is None:
        raise _unknown(document_id)
    return found


def _unknown(document_id: str) -> ToolError:
    """The same for another user's: nobody learns which ids exist."""
    return ToolError(f"There is no document with the id {document_id}.")
