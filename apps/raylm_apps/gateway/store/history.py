"""Lists of chats, newest first, a page at a time."""

from dataclasses import dataclass

from raylm_apps.gateway.store.chats import Chat, chat_of
from raylm_apps.gateway.store.pool import Connection

UNFILED = "none"


@dataclass(frozen=True)
class Shelf:
    """Which of a user's chats are listed."""

    user_id: str
    archived: bool = False
    folder: str | None = None
    """A folder's id, UNFILED, or None: all."""
    older_than: Chat | None = None
    newer_than: Chat | None = None

    def condition(self) -> tuple[str, list[object]]:
        """SQL about the table `chats`, and its arguments from $1 on."""
        arguments: list[object] = [self.user_id]
        terms = ["chats.user_id = $1"]
        terms.append(f"chats.archived_at is {'not ' if self.archived else ''}null")
        if self.folder == UNFILED:
            terms.append("chats.folder_id is null")
        elif self.folder is not None:
            arguments.append(self.folder)
            terms.append(f"chats.folder_id = ${len(arguments)}")
        for edge, sign in ((self.older_than, "<"), (self.newer_than, ">")):
            if edge is not None:
                arguments += [edge.created_at, edge.id]
                places = f"(${len(arguments) - 1}, ${len(arguments)})"
                terms.append(f"(chats.created_at, chats.id) {sign} {places}")
        return " and ".join(terms), arguments


async def page(connection: Connection, shelf: Shelf, limit: int) -> list[Chat]:
    condition, arguments = shelf.condition()
    rows = await connection.fetch(
        f"""select * from chats where {condition}
            order by created_at desc, id desc limit ${len(arguments) + 1}""",
        *arguments,
        limit,
    )
    return [chat_of(row) for row in rows]


async def of_team(
    connection: Connection, team_id: str, member_id: str, limit: int, older_than: Chat | None
) -> list[Chat]:
    """What is shared with a team, by itself or by its folder, for a member."""
    rows = await connection.fetch(
        """select * from chats
           where id in (
               select id from chats where team_id = $1
               union
               select chats.id from chats join folders on folders.id = chats.folder_id
               where folders.team_id = $1
             )
             and exists (select from team_members where team_id = $1 and user_id = $2)
             and ($3::timestamptz is null or (created_at, id) < ($3, $4))
           order by created_at desc, id desc limit $5""",
        team_id,
        member_id,
        older_than and older_than.created_at,
        older_than and older_than.id,
        limit,
    )
    return [chat_of(row) for row in rows]
