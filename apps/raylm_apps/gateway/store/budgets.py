"""Budgets: how much may be used, by whom, of what, in which time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from raylm_apps.gateway.store.pool import Connection, Row

Subject = Literal["everyone", "each", "user", "key", "team"]
"""`everyone` is all together, `each` every user alone."""
Period = Literal["hour", "day", "month", "total"]
LIMITS = ("requests", "tokens", "micros")


@dataclass(frozen=True)
class Budget:
    id: str
    subject: Subject
    subject_id: str | None
    model: str | None
    period: Period
    requests: int | None
    tokens: int | None
    micros: int | None
    """Millionths of a dollar."""
    is_own: bool
    """Set by the owner of the key that it is for, not by an admin."""
    version: int

    @property
    def limits(self) -> tuple[int | None, int | None, int | None]:
        return self.requests, self.tokens, self.micros


def _budget(row: Row) -> Budget:
    return Budget(**{name: row[name] for name in Budget.__dataclass_fields__})


async def read_all(connection: Connection) -> list[Budget]:
    """Oldest first."""
    rows = await connection.fetch("select * from budgets order by created_at, id")
    return [_budget(row) for row in rows]


async def state(connection: Connection) -> tuple[int, datetime | None]:
    """Changes whenever a budget does."""
    row = await connection.fetchrow("select count(*), max(updated_at) from budgets")
    assert row is not None
    return row[0], row[1]


async def exists(connection: Connection, subject: Subject, subject_id: str | None) -> bool:
    """Whether there is anybody whom such a budget is for."""
    tables = {"user": "users", "key": "api_keys", "team": "teams"}
    if subject not in tables:
        return True
    found = await connection.fetchval(
        f"select true from {tables[subject]} where id = $1", subject_id
    )
    return bool(found)


async def add(
    connection: Connection,
    subject: Subject,
    subject_id: str | None,
    model: str | None,
    period: Period,
    limits: Mapping[str, int | None],
) -> Budget | None:
    """None where there is one for the same subject, model and period."""
    row = await connection.fetchrow(
        """insert into budgets (id, subject, subject_id, model, period, requests, tokens, micros)
           values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning *""",
        str(uuid4()),
        subject,
        subject_id,
        model,
        period,
        *(limits.get(name) for name in LIMITS),
    )
    return None if row is None else _budget(row)


async def lock(connection: Connection, budget_id: str) -> Budget | None:
    """One that nobody else changes until the transaction ends."""
    row = await connection.fetchrow("select * from budgets where id = $1 for update", budget_id)
    return None if row is None else _budget(row)


async def change(connection: Connection, budget_id: str, limits: Mapping[str, Any]) -> Budget:
    """The limits that are named; the caller has locked it."""
    named = [name for name in LIMITS if name in limits]
    sets = "".join(f"{name} = ${number}, " for number, name in enumerate(named, start=2))
    row = await connection.fetchrow(
        f"""update budgets set {sets} version = version + 1, updated_at = clock_timestamp()
            where id = $1 returning *""",
        budget_id,
        *(limits[name] for name in named),
    )
    assert row is not None
    return _budget(row)


async def delete(connection: Connection, budget_id: str) -> Budget | None:
    row = await connection.fetchrow("delete from budgets where id = $1 returning *", budget_id)
    return None if row is None else _budget(row)


async def set_own(
    connection: Connection,
    user_id: str,
    key_id: str,
    period: Period,
    model: str | None,
    limits: Mapping[str, int | None],
) -> Budget | None:
    """The owner's own budget of a key; None where it is not a key of theirs."""
    row = await connection.fetchrow(
        """insert into budgets as old
             (id, subject, subject_id, model, period, requests, tokens, micros, is_own)
           select $1, 'key', id, $4, $5, $6, $7, $8, true from api_keys
           where id = $3 and user_id = $2
           on conflict (subject_id) where is_own do update
           set id = case when (old.model, old.period) is not distinct from
                              (excluded.model, excluded.period)
                    then old.id else excluded.id end,
               model = excluded.model, period = excluded.period, requests = excluded.requests,
               tokens = excluded.tokens, micros = excluded.micros, version = old.version + 1,
               updated_at = clock_timestamp()
           returning *""",
        str(uuid4()),
        user_id,
        key_id,
        model,
        period,
        *(limits.get(name) for name in LIMITS),
    )
    return None if row is None else _budget(row)


async def delete_own(connection: Connection, user_id: str, key_id: str) -> None:
    await connection.execute(
        """delete from budgets where is_own and subject_id = $2
           and exists (select from api_keys where id = $2 and user_id = $1)""",
        user_id,
        key_id,
    )


async def own_of_user(connection: Connection, user_id: str) -> dict[str, Budget]:
    """By the ids of the user's keys."""
    rows = await connection.fetch(
        """select b.* from budgets b join api_keys k on k.id = b.subject_id
           where b.is_own and k.user_id = $1""",
        user_id,
    )
    return {row["subject_id"]: _budget(row) for row in rows}
