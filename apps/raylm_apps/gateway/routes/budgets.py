"""Budgets: what is left of those that apply, and the admins' hands on them."""

from fastapi import APIRouter

from raylm_apps.gateway.auth import RequireAdmin, SignedIn
from raylm_apps.gateway.budgets.counter import Amount, Counter
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import budgets
from raylm_apps.gateway.store.budgets import Budget
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.budget import (
    BudgetPatch,
    BudgetsView,
    BudgetView,
    Counts,
    Left,
    MyBudgetsView,
    MyBudgetView,
    NewBudget,
)

router = APIRouter(prefix="/api", tags=["budgets"])


@router.get("/budgets")
async def mine(gateway: Gateway, session: SignedIn) -> MyBudgetsView:
    """Those that apply to whoever asks, and to the key that they ask with."""
    found = await gateway.budgets.of_session(session)
    return MyBudgetsView(budgets=[_my_view(counter, used) for counter, used in found])


@router.get("/admin/budgets")
async def read(gateway: Gateway, admin: RequireAdmin) -> BudgetsView:
    """Oldest first."""
    async with gateway.database.connection() as connection:
        found = await budgets.read_all(connection)
    return BudgetsView(budgets=[_view(budget) for budget in found])


@router.post("/admin/budgets", status_code=201)
async def add(gateway: Gateway, admin: RequireAdmin, body: NewBudget) -> BudgetView:
    """One for a subject, model and period; what was used in the period before counts."""
    async with gateway.database.connection() as connection:
        if not await budgets.exists(connection, body.subject, body.subject_id):
            raise ApiError("not_found:budget", f"no {body.subject} {body.subject_id}")
        added = await budgets.add(
            connection, body.subject, body.subject_id, body.model, body.period, body.named()
        )
    if added is None:
        raise ApiError("conflict:budget", "there is one for this subject, model and period")
    gateway.budgets.book.forget()
    return _view(added)


@router.patch("/admin/budgets/{budget_id}")
async def change(
    gateway: Gateway, admin: RequireAdmin, budget_id: Id, body: BudgetPatch
) -> BudgetView:
    """Its limits; what was used stays used."""
    async with gateway.database.transaction() as connection:
        budget = await budgets.lock(connection, budget_id)
        if budget is None:
            raise ApiError("not_found:budget")
        if body.version not in (None, budget.version):
            raise ApiError("conflict:budget", f"its version is {budget.version} by now")
        limits = {name: getattr(budget, name) for name in budgets.LIMITS} | body.named()
        if not any(most is not None for most in limits.values()):
            raise ApiError("bad_request:api", "a budget has a limit; delete it instead")
        changed = await budgets.change(connection, budget_id, body.named())
    gateway.budgets.book.forget()
    return _view(changed)


@router.delete("/admin/budgets/{budget_id}")
async def delete(gateway: Gateway, admin: RequireAdmin, budget_id: Id) -> BudgetView:
    async with gateway.database.connection() as connection:
        deleted = await budgets.delete(connection, budget_id)
    if deleted is None:
        raise ApiError("not_found:budget")
    gateway.budgets.book.forget()
    return _view(deleted)


def _view(budget: Budget) -> BudgetView:
    return BudgetView(**vars(budget))


def _my_view(counter: Counter, used: Amount) -> MyBudgetView:
    window = counter.window
    return MyBudgetView(
        **vars(counter.budget),
        used=Counts(**vars(used)),
        left=Left(**counter.left(used)),
        starts_at=window.first,
        ends_at=None if window.is_endless else window.end,
    )
