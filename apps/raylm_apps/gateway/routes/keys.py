"""API keys of an account."""

from fastapi import APIRouter, Response

from raylm_apps.gateway.auth import AccountHolder
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import api_keys, budgets
from raylm_apps.gateway.store.api_keys import ApiKey
from raylm_apps.gateway.store.budgets import Budget
from raylm_apps.gateway.wire.accounts import ApiKeysView, ApiKeyView, KeyPatch, NewKey, NewKeyView
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.budget import OwnBudgetView

router = APIRouter(prefix="/api/keys", tags=["keys"])


@router.post("", status_code=201)
async def create(
    response: Response, gateway: Gateway, session: AccountHolder, body: NewKey
) -> NewKeyView:
    """The answer has the key, and nothing else ever will."""
    most = gateway.settings.max_api_keys
    added = await gateway.sessions.add_key(session.user_id, body.name, most)
    if added is None:
        raise ApiError("forbidden:auth", f"at most {most} keys; delete one first")
    key, stored = added
    response.headers["cache-control"] = "no-store"
    return NewKeyView(**vars(stored), key=key)


@router.get("")
async def read(gateway: Gateway, session: AccountHolder) -> ApiKeysView:
    """Newest first."""
    found = await gateway.sessions.keys_of(session.user_id)
    async with gateway.database.connection() as connection:
        own = await budgets.own_of_user(connection, session.user_id)
    return ApiKeysView(keys=[_view(key, own.get(key.id)) for key in found])


@router.patch("/{key_id}")
async def change(
    gateway: Gateway, session: AccountHolder, key_id: Id, body: KeyPatch
) -> ApiKeyView:
    """What the key may use at most, beside the budgets that admins have set."""
    own, wanted = None, body.budget
    async with gateway.database.transaction() as connection:
        key = await api_keys.find(connection, session.user_id, key_id)
        if key is None:
            raise ApiError("not_found:auth")
        if wanted is None:
            await budgets.delete_own(connection, session.user_id, key_id)
        else:
            own = await budgets.set_own(
                connection, session.user_id, key_id, wanted.period, wanted.model, vars(wanted)
            )
    gateway.budgets.book.forget()
    return _view(key, own)


@router.delete("/{key_id}")
async def delete(gateway: Gateway, session: AccountHolder, key_id: Id) -> ApiKeyView:
    deleted = await gateway.sessions.delete_key(session.user_id, key_id)
    if deleted is None:
        raise ApiError("not_found:auth")
    return _view(deleted, None)


def _view(key: ApiKey, own: Budget | None) -> ApiKeyView:
    budget = None if own is None else OwnBudgetView(**vars(own))
    return ApiKeyView(**vars(key), budget=budget)
