"""What a user's answers have cost, a row for each day and model; the database counts (0003)."""

from dataclasses import dataclass
from datetime import date

from raylm_apps.gateway.store.pool import Connection


@dataclass(frozen=True)
class Usage:
    day: date
    model: str
    requests: int
    input_tokens: int
    output_tokens: int


async def of_user(connection: Connection, user_id: str, first: date, last: date) -> list[Usage]:
    """The newest day first."""
    rows = await connection.fetch(
        """select day, model, requests, input_tokens, output_tokens from usage
           where user_id = $1 and day between $2 and $3 order by day desc, model""",
        user_id,
        first,
        last,
    )
    return [Usage(**row) for row in rows]
