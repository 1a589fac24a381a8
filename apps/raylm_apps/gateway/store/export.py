"""What is told to a user who asks for everything: rows as they are stored, without secrets."""

from typing import Any

from raylm_apps.gateway.store.pool import Connection

# By name in the export. A table of users' data that neither stands here nor hangs on what does
# fails tests/apps/gateway/store/test_export.py.
SECTIONS = {
    "users": """select id, email, email_verified, name, role, is_anonymous, created_at, updated_at
                from users where id = $1""",
    "identities": """select provider, subject, created_at from identities
                     where user_id = $1 order by provider, subject""",
    "sessions": """select id, user_agent, address, created_at, renewed_at from sessions
                   where user_id = $1 order by created_at, id""",
    "proofs": """select purpose, email, created_at, expires_at from proofs
                 where user_id = $1 order by created_at""",
    "api_keys": """select id, name, prefix, created_at, last_used_at from api_keys
                   where user_id = $1 order by created_at, id""",
    "folders": "select * from folders where user_id = $1 order by id",
    "teams": """select teams.*, m.joined_at from teams
                join team_members m on m.team_id = teams.id
                where m.user_id = $1 order by teams.id""",
    "ledger": """select hour, key_id, team_id, model, requests, input_tokens, output_tokens,
                        cached_tokens, micros
                 from ledger where user_id = $1 order by hour, model, key_id, team_id""",
}
# Those that may be large: how many rows at a time, in the order of their ids.
PAGES = {
    "documents": (
        2,
        """select d.*, coalesce(
             (select jsonb_agg(to_jsonb(v) - 'document_id' order by v.created_at)
              from document_versions v where v.document_id = d.id), '[]') as versions
           from documents d where user_id = $1 and id > $2 order by id limit $3""",
    ),
    "suggestions": (
        100,
        "select * from suggestions where user_id = $1 and id > $2 order by id limit $3",
    ),
    "files": (
        20,
        """select id, name, content_type, size_bytes, text, created_at, sent_at,
                  '/api/files/' || id as url
           from files where user_id = $1 and id > $2 order by id limit $3""",
    ),
    "chats": (
        20,
        """select chats.*,
             coalesce((select jsonb_agg(to_jsonb(m) order by seq) from messages m
                       where m.chat_id = chats.id), '[]') as messages,
             coalesce((select jsonb_agg(to_jsonb(v) order by message_id) from votes v
                       where v.chat_id = chats.id), '[]') as votes
           from chats where user_id = $1 and id > $2 order by id limit $3""",
    ),
}


async def section(connection: Connection, name: str, user_id: str) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"select to_jsonb(section) as row from ({SECTIONS[name]}) section", user_id
    )
    return [row["row"] for row in rows]


async def page(
    connection: Connection, name: str, user_id: str, last_id: str
) -> list[dict[str, Any]]:
    """What comes after `last_id`, which is before all where it is empty."""
    limit, query = PAGES[name]
    rows = await connection.fetch(
        f"select to_jsonb(page) as row from ({query}) page order by id", user_id, last_id, limit
    )
    return [row["row"] for row in rows]
