"""Changing a password, and replacing a forgotten one by mail."""

from fastapi import APIRouter, Request, Response

from raylm_apps.gateway.auth import AccountHolder, ClientAddress
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.accounts import AnyVisitor, entered
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.accounts import Forgotten, PasswordChange, PasswordReset
from raylm_apps.gateway.wire.session import SessionView

router = APIRouter(prefix="/api/auth/password", tags=["auth"])


@router.post("")
async def change(
    request: Request,
    response: Response,
    gateway: Gateway,
    session: AccountHolder,
    visitor: AnyVisitor,
    body: PasswordChange,
) -> SessionView:
    """Ends all sessions but this one, which gets a new cookie. An account without a password gets
    its first one from whoever signed in to it in the last ten minutes."""
    if session.email is None:
        raise ApiError("bad_request:password")
    to_account = gateway.entitlements.login_to(session.email)
    await gateway.limits.spend(gateway.entitlements.login_from(visitor.address), to_account)
    current = body.current.get_secret_value() if body.current else None
    token = await gateway.accounts.change_password(
        visitor, current, body.password.get_secret_value()
    )
    await gateway.limits.forget(to_account)
    return await entered(request, response, gateway, visitor, token)


@router.post("/forgot")
async def forgot(gateway: Gateway, address: ClientAddress, body: Forgotten) -> dict[str, bool]:
    """A mail with a link, if an account has the address; the answer does not tell."""
    entitlements = gateway.entitlements
    await gateway.limits.spend(entitlements.mail_from(address), entitlements.mail_to(body.email))
    await gateway.proofs.forgot(body.email)
    return {"success": True}


@router.post("/reset")
async def reset(gateway: Gateway, address: ClientAddress, body: PasswordReset) -> dict[str, bool]:
    """With the token behind the link's `#`: once, for 30 minutes, and until the password is changed
    in another way. Ends all sessions; sign in with the new password."""
    await gateway.limits.spend(gateway.entitlements.login_from(address))
    await gateway.proofs.reset(body.token.get_secret_value(), body.password.get_secret_value())
    return {"success": True}
