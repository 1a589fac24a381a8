"""What the ledger says, summed up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from raylm_apps.gateway.store.pool import Connection

GROUPS = {
    "day": "(hour at time zone 'utc')::date",
    "user": "user_id",
    "team": "nullif(team_id, '')",
    "key": "nullif(key_id, '')",
    "model": "model",
}
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Usage:
    """What the sums are not grouped by is None; so is no key, no team, a deleted user."""

    day: date | None
    user: str | None
    team: str | None
    key: str | None
    model: str | None
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    micros: int


async def read(
    connection: Connection,
    first: date,
    last: date,
    by: Sequence[str],
    user_id: str | None = None,
) -> list[Usage]:
    """Of one user or of all, the newest day first."""
    groups = ", ".join(
        f"{column if name in by else 'null'} as {name}" for name, column in GROUPS.items()
    )
    rows = await connection.fetch(
        f"""select {groups.replace("null as day", "null::date as day")},
                   sum(requests)::bigint as requests,
                   sum(input_tokens)::bigint as input_tokens,
                   sum(output_tokens)::bigint as output_tokens,
                   sum(cached_tokens)::bigint as cached_tokens, sum(micros)::bigint as micros
            from ledger
            where hour >= $1::date::timestamp at time zone 'utc'
              and hour < ($2::date + 1)::timestamp at time zone 'utc'
              and ($3::text is null or user_id = $3)
            group by 1, 2, 3, 4, 5 order by 1 desc, 5, 2, 3, 4 limit {MOST_ROWS}""",
        first,
        last,
        user_id,
    )
    return [Usage(**row) for row in rows]
