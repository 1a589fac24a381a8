"""What was used, and what is reserved: written in batches (0009), summed for budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from raylm_apps.gateway.store.budgets import Budget
from raylm_apps.gateway.store.pool import Connection


@dataclass(frozen=True)
class Payer:
    """Whose account something goes on; '' is no key, no team."""

    user_id: str
    key_id: str = ""
    team_id: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of the ledger, or what is taken from one."""

    hour: datetime
    user_id: str
    key_id: str
    team_id: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    micros: int


@dataclass(frozen=True)
class Opened:
    """A reservation, at the most that is expected of it."""

    id: str
    entry: Entry


@dataclass(frozen=True)
class Ended:
    id: str
    entries: Sequence[Entry]
    undo: Entry | None = None
    """Where its reservation was written before: takes back what was entered for it, if its process
    was believed to be dead."""


@dataclass(frozen=True)
class Sum:
    """What a budget's window holds: what has ended, and each reservation that has not."""

    snapshot: str
    """Of PostgreSQL: tells which transactions it has seen."""
    requests: int
    tokens: int
    micros: int
    open: list[tuple[str, int, int]]
    """Ids, tokens, micros."""


async def write(
    connection: Connection,
    holder_id: str,
    number: int,
    opened: Sequence[Opened],
    ended: Sequence[Ended],
) -> int:
    """Once, however often the same number is written; the transaction that did it."""
    written: str = await connection.fetchval(
        "select write_batch($1, $2, $3, $4)",
        holder_id,
        number,
        [{"id": each.id, **vars(each.entry)} for each in opened],
        [
            {
                "id": each.id,
                "was_opened": each.undo is not None,
                "entries": [vars(entry) for entry in each.entries],
                "undo": each.undo and vars(each.undo),
            }
            for each in ended
        ],
    )
    return int(written)


async def holders(connection: Connection, lease_s: float) -> list[str]:
    """The processes that may have granted what is not written yet."""
    rows = await connection.fetch(
        """select id from ledger_holders
           where seen_at > clock_timestamp() - make_interval(secs => $1)""",
        lease_s,
    )
    return [row["id"] for row in rows]


async def forget_holder(connection: Connection, holder_id: str) -> None:
    """Its end was a good one: whatever it was granted is written."""
    await connection.execute("delete from ledger_holders where id = $1", holder_id)


async def sweep(connection: Connection, lease_s: float) -> int:
    """Enter what dead processes had reserved; how many reservations."""
    count: int = await connection.fetchval("select sweep_reservations($1)", lease_s)
    return count


_SUBJECT = {
    "everyone": "$4::text is not null",
    "each": "user_id = $4",
    "user": "user_id = $4",
    "key": "key_id = $4",
    "team": "team_id = $4",
}


async def sum_of(
    connection: Connection, budget: Budget, scope_id: str, first: datetime, end: datetime
) -> Sum:
    """In one statement, which sees one moment."""
    where = f"""hour >= $1 and hour < $2 and ($3::text is null or model = $3)
                and {_SUBJECT[budget.subject]}"""
    row = await connection.fetchrow(
        f"""select pg_current_snapshot()::text as snapshot, ended.*, (
              select coalesce(
                jsonb_agg(jsonb_build_array(id, input_tokens + output_tokens, micros)), '[]')
              from reservations where {where}) as open
            from (
              select coalesce(sum(requests), 0)::bigint as requests,
                     coalesce(sum(input_tokens + output_tokens), 0)::bigint as tokens,
                     coalesce(sum(micros), 0)::bigint as micros
              from ledger where {where}) ended""",
        first,
        end,
        budget.model,
        scope_id,
    )
    assert row is not None
    found: dict[str, Any] = dict(row)
    return Sum(**{**found, "open": [tuple(each) for each in found["open"]]})
