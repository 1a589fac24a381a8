"""API keys of an account."""

from fastapi import APIRouter, Response

from raylm_apps.gateway.auth import AccountHolder
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.accounts import ApiKeysView, ApiKeyView, NewKey, NewKeyView
from raylm_apps.gateway.wire.base import Id

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
    return ApiKeysView(keys=[ApiKeyView(**vars(key)) for key in found])


@router.delete("/{key_id}")
async def delete(gateway: Gateway, session: AccountHolder, key_id: Id) -> ApiKeyView:
    deleted = await gateway.sessions.delete_key(session.user_id, key_id)
    if deleted is None:
        raise ApiError("not_found:auth")
    return ApiKeyView(**vars(deleted))
