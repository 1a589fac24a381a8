"""Proving that the account's e-mail address is one's own. Nothing waits for it."""

from fastapi import APIRouter

from raylm_apps.gateway.auth import AccountHolder, ClientAddress
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.accounts import MailedProof

router = APIRouter(prefix="/api/auth/verify", tags=["auth"])


@router.post("")
async def verify(
    gateway: Gateway, session: AccountHolder, address: ClientAddress, body: MailedProof
) -> dict[str, bool]:
    """With the token behind the link's `#`, signed in to the account that it was sent for."""
    await gateway.limits.spend(gateway.entitlements.login_from(address))
    await gateway.proofs.verify(session.user_id, body.token.get_secret_value())
    return {"success": True}


@router.post("/mail")
async def send(gateway: Gateway, session: AccountHolder, address: ClientAddress) -> dict[str, bool]:
    """Another mail, where the first one is lost."""
    if session.email is None:
        raise ApiError("bad_request:password")
    entitlements = gateway.entitlements
    await gateway.limits.spend(entitlements.mail_from(address), entitlements.mail_to(session.email))
    await gateway.proofs.ask_whose(session.email)
    return {"success": True}
