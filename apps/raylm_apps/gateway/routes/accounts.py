"""Registering, signing in and out, and the sessions of an account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from raylm_apps.gateway.accounts.accounts import Visitor
from raylm_apps.gateway.auth import (
    COOKIE,
    AccountHolder,
    ClientAddress,
    session_of_cookie,
    set_cookie,
)
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.auth import session_view
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.wire.accounts import (
    AccountSessionsView,
    AccountSessionView,
    Login,
    Registration,
)
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.session import SessionView

router = APIRouter(prefix="/api/auth", tags=["auth"])


async def visitor_of(request: Request, gateway: Gateway, address: ClientAddress) -> Visitor:
    session = await session_of_cookie(gateway, request.cookies.get(COOKIE))
    return Visitor(session, request.headers.get("user-agent", ""), address)


AnyVisitor = Annotated[Visitor, Depends(visitor_of)]


@router.post("/register")
async def register(
    request: Request, response: Response, gateway: Gateway, visitor: AnyVisitor, body: Registration
) -> SessionView:
    """A new account, signed in; a guest's chats become the account's."""
    await gateway.limits.spend(gateway.entitlements.registration(visitor.address))
    password = body.password.get_secret_value()
    token = await gateway.accounts.register(visitor, body.email, password, body.name)
    gateway.proofs.greet(body.email)
    return await entered(request, response, gateway, visitor, token)


@router.post("/login")
async def log_in(
    request: Request, response: Response, gateway: Gateway, visitor: AnyVisitor, body: Login
) -> SessionView:
    """A new session; a guest's chats become the account's."""
    to_account = gateway.entitlements.login_to(body.email)
    await gateway.limits.spend(gateway.entitlements.login_from(visitor.address), to_account)
    token = await gateway.accounts.log_in(visitor, body.email, body.password.get_secret_value())
    await gateway.limits.forget(to_account)
    return await entered(request, response, gateway, visitor, token)


@router.post("/logout")
async def log_out(response: Response, gateway: Gateway, visitor: AnyVisitor) -> dict[str, bool]:
    session = visitor.session
    if session is not None and session.id is not None:
        await gateway.sessions.end(session.user_id, session.id)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return {"success": True}


@router.get("/sessions")
async def sessions(gateway: Gateway, session: AccountHolder) -> AccountSessionsView:
    """Where the account is signed in, newest first."""
    found = await gateway.sessions.of_user(session.user_id)
    return AccountSessionsView(
        sessions=[
            AccountSessionView(**vars(stored), is_current=stored.id == session.id)
            for stored in found
        ]
    )


@router.delete("/sessions")
async def log_out_everywhere(
    response: Response, gateway: Gateway, session: AccountHolder
) -> dict[str, int]:
    """This session too."""
    count = await gateway.sessions.end_all(session.user_id)
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")
    return {"deletedCount": count}


@router.delete("/sessions/{session_id}")
async def end_session(gateway: Gateway, session: AccountHolder, session_id: Id) -> dict[str, bool]:
    if not await gateway.sessions.end(session.user_id, session_id):
        raise ApiError("not_found:auth")
    return {"success": True}


async def entered(
    request: Request, response: Response, gateway: Services, visitor: Visitor, token: str
) -> SessionView:
    """The browser leaves with the new session alone."""
    session = await gateway.sessions.read(token)
    if session is None:
        raise ApiError("unauthorized:auth", "the session was ended at once")
    if visitor.session is not None and visitor.session.is_guest:
        gateway.generations.hand_over(visitor.session.user_id, session.user_id)
    set_cookie(request, response, gateway.settings, token)
    response.headers["cache-control"] = "no-store"
    return session_view(session)
