import asyncpg
import pytest

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.store.export import PAGES, SECTIONS
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database

OF_CHATS = {"messages", "votes"}
OF_DOCUMENTS = {"document_versions"}
KEPT = {"ledger"}  # as nobody's, for the budgets of others
DERIVED = {
    "message_words": "words of messages",
    "message_files": "told by the messages' parts",
    "team_members": "told with the teams",
}


@pytest.mark.services
async def test_every_table_of_a_users_data_is_exported_and_deleted_with_them(
    stores: StoreUrls,
) -> None:
    database = Database(stores.database_url)
    await database.open()
    await migrate(database)
    await database.close()
    connection = await asyncpg.connect(stores.database_url)
    rows = await connection.fetch(
        """with recursive owned as (
             select 'users'::regclass::oid as id
             union
             select c.conrelid from pg_constraint c join owned on c.confrelid = owned.id
             where c.contype = 'f' and c.confdeltype = 'c'
           )
           select id::regclass::text as name from owned"""
    )
    blocking = await connection.fetch(
        """select conname from pg_constraint
           where contype = 'f' and confdeltype not in ('c', 'n')"""
    )
    await connection.close()
    assert {row["name"] for row in rows} | KEPT == {
        *SECTIONS,
        *PAGES,
        *OF_CHATS,
        *OF_DOCUMENTS,
        *DERIVED,
    }
    assert [row["conname"] for row in blocking] == []
