"""Teams of accounts, who read what is shared with them. Guests are in none."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from raylm_apps.gateway.store.pool import Connection, Row


@dataclass(frozen=True)
class Team:
    id: str
    owner_id: str
    name: str
    created_at: datetime


@dataclass(frozen=True)
class Member:
    user_id: str
    name: str | None
    email: str | None
    joined_at: datetime


def _team(row: Row) -> Team:
    return Team(**{name: row[name] for name in Team.__dataclass_fields__})


async def of_member(connection: Connection, user_id: str) -> list[Team]:
    rows = await connection.fetch(
        """select teams.* from teams join team_members m on m.team_id = teams.id
           where m.user_id = $1 order by m.joined_at, teams.id""",
        user_id,
    )
    return [_team(row) for row in rows]


async def first_of(connection: Connection, user_id: str) -> str | None:
    """The team that the user's spending counts for: the one that they joined first."""
    found: str | None = await connection.fetchval("select nullif(team_of($1, ''), '')", user_id)
    return found


async def find(connection: Connection, team_id: str, member_id: str) -> Team | None:
    row = await connection.fetchrow(
        """select teams.* from teams join team_members m on m.team_id = teams.id
           where teams.id = $1 and m.user_id = $2""",
        team_id,
        member_id,
    )
    return None if row is None else _team(row)


async def add(connection: Connection, owner_id: str, name: str) -> Team | None:
    """The owner is its first member; None for a guest. In a transaction."""
    row = await connection.fetchrow(
        """insert into teams (id, owner_id, name)
           select $1, id, $3 from users where id = $2 and not is_anonymous returning *""",
        str(uuid4()),
        owner_id,
        name,
    )
    if row is None:
        return None
    await connection.execute(
        "insert into team_members (team_id, user_id) values ($1, $2)", row["id"], owner_id
    )
    return _team(row)


async def delete(connection: Connection, team_id: str, owner_id: str) -> Team | None:
    """What was shared with it stays its owners'."""
    row = await connection.fetchrow(
        "delete from teams where id = $1 and owner_id = $2 returning *", team_id, owner_id
    )
    return None if row is None else _team(row)


async def members(connection: Connection, team_id: str, reader_id: str) -> list[Member]:
    """For a member; addresses for the owner alone, who has typed them."""
    rows = await connection.fetch(
        """select m.user_id, users.name, m.joined_at,
                  case when teams.owner_id = $2 then users.email end as email
           from team_members m
           join teams on teams.id = m.team_id
           join users on users.id = m.user_id
           where m.team_id = $1
             and exists (select from team_members where team_id = $1 and user_id = $2)
           order by m.joined_at, m.user_id""",
        team_id,
        reader_id,
    )
    return [Member(**row) for row in rows]


async def add_member(connection: Connection, team_id: str, owner_id: str, email: str) -> str | None:
    """The new member's id; None where no account has that address."""
    user_id: str | None = await connection.fetchval(
        """insert into team_members (team_id, user_id)
           select teams.id, users.id from teams, users
           where teams.id = $1 and teams.owner_id = $2
             and users.email = $3 and not users.is_anonymous
           on conflict (team_id, user_id) do update set team_id = excluded.team_id
           returning user_id""",
        team_id,
        owner_id,
        email,
    )
    return user_id


async def remove_member(
    connection: Connection, team_id: str, member_id: str, remover_id: str
) -> bool:
    """By the owner, or by themselves; what they had shared is theirs alone. In a transaction."""
    removed = await connection.fetchval(
        """delete from team_members m using teams
           where m.team_id = $1 and m.user_id = $2 and teams.id = m.team_id
             and m.user_id <> teams.owner_id and $3 in (teams.owner_id, m.user_id)
           returning m.user_id""",
        team_id,
        member_id,
        remover_id,
    )
    if removed is None:
        return False
    for table in ("chats", "folders"):
        await connection.execute(
            f"update {table} set team_id = null where team_id = $1 and user_id = $2",
            team_id,
            member_id,
        )
    return True
