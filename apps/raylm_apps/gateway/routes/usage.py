"""What one's answers have cost."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import usage
from raylm_apps.gateway.wire.base import Wire, written_as

DAYS = 30
router = APIRouter(prefix="/api/usage", tags=["usage"])
Day = Annotated[date, BeforeValidator(written_as("2026-01-31", "[0-9]{4}-[0-9]{2}-[0-9]{2}"))]


class UsageRow(Wire):
    day: date
    model: str
    requests: int
    input_tokens: int
    output_tokens: int


class UsageView(Wire):
    usage: list[UsageRow]


@router.get("")
async def read(
    gateway: Gateway,
    session: SignedIn,
    first: Annotated[Day | None, Query(alias="from", description="default: 30 days ago")] = None,
    last: Annotated[Day | None, Query(alias="to", description="default: today")] = None,
) -> UsageView:
    """By day (UTC) and model, the newest day first; deleted chats count."""
    last = last or datetime.now(UTC).date()
    first = first or max(date.min + timedelta(DAYS), last) - timedelta(DAYS)
    async with gateway.database.connection() as connection:
        rows = await usage.of_user(connection, session.user_id, first, last)
    return UsageView(usage=[UsageRow.model_validate(row, from_attributes=True) for row in rows])
