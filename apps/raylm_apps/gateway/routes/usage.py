"""What one's answers have cost; for admins, everybody's."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import RequireAdmin, SignedIn
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import usage
from raylm_apps.gateway.store.usage import Usage
from raylm_apps.gateway.wire.usage import AdminUsageRow, AdminUsageView, Day, UsageRow, UsageView

DAYS = 30
_OWN, _ALL = "day|model|key|team", "day|model|key|team|user"
router = APIRouter(prefix="/api", tags=["usage"])
First = Annotated[Day | None, Query(alias="from", description="default: 30 days ago")]
Last = Annotated[Day | None, Query(alias="to", description="default: today")]


@router.get("/usage")
async def read(
    gateway: Gateway,
    session: SignedIn,
    first: First = None,
    last: Last = None,
    by: Annotated[str, Query(pattern=f"^({_OWN})(,({_OWN}))*$")] = "day,model",
) -> UsageView:
    """By day (UTC) and model, or as wanted, the newest day first; deleted chats count."""
    rows = await _read(gateway, first, last, by, session.user_id)
    return UsageView(usage=[UsageRow(**_names(row)) for row in rows])


@router.get("/admin/usage")
async def read_all(
    gateway: Gateway,
    admin: RequireAdmin,
    first: First = None,
    last: Last = None,
    by: Annotated[str, Query(pattern=f"^({_ALL})(,({_ALL}))*$")] = "day,model",
) -> AdminUsageView:
    """Of all users."""
    rows = await _read(gateway, first, last, by, None)
    return AdminUsageView(usage=[AdminUsageRow(**_names(row), user_id=row.user) for row in rows])


async def _read(
    gateway: Gateway, first: date | None, last: date | None, by: str, user_id: str | None
) -> list[Usage]:
    last = last or datetime.now(UTC).date()
    first = first or max(date.min + timedelta(DAYS), last) - timedelta(DAYS)
    await gateway.budgets.flush()
    async with gateway.database.connection() as connection:
        return await usage.read(connection, first, last, by.split(","), user_id)


def _names(row: Usage) -> dict[str, Any]:
    return {**vars(row), "key_id": row.key, "team_id": row.team}
