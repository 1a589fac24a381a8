"""The session of a request, and guests'."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.auth import COOKIE, ClientAddress, MaybeUser, set_cookie
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.wire.session import SessionView, User

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.get("/session")
async def read(
    request: Request, response: Response, gateway: Gateway, session: MaybeUser
) -> SessionView:
    """Whose cookie this is; a cookie in use is renewed."""
    response.headers["cache-control"] = "no-store"
    if session is None:
        return SessionView(user=None)
    if session.key_id is None and session.is_old:
        session = session.renewed()
        token = request.cookies[COOKIE]
        if session.id is not None:
            await gateway.sessions.renew(session)
        else:
            token = gateway.signing.guests.sign(session)
        set_cookie(request, response, gateway.settings, token)
    return session_view(session)


@router.post("/guest")
async def start_guest(
    request: Request,
    response: Response,
    gateway: Gateway,
    session: MaybeUser,
    address: ClientAddress,
) -> SessionView:
    """A guest session, unless there is a session already."""
    response.headers["cache-control"] = "no-store"
    if session is None:
        await gateway.limits.spend(gateway.entitlements.guest(address))
        session = Session.for_new_guest()
        set_cookie(request, response, gateway.settings, gateway.signing.guests.sign(session))
    return session_view(session)


@router.get("/guest", status_code=307, response_class=RedirectResponse)
async def start_guest_and_return(
    request: Request,
    gateway: Gateway,
    session: MaybeUser,
    address: ClientAddress,
    redirect_url: Annotated[str, Query(alias="redirectUrl")] = "/",
) -> Response:
    response = RedirectResponse(local_path(redirect_url), status_code=307)
    if session is None:
        await gateway.limits.spend(gateway.entitlements.guest(address))
        token = gateway.signing.guests.sign(Session.for_new_guest())
        set_cookie(request, response, gateway.settings, token)
    return response


def local_path(url: str) -> str:
    """A path of this site, or `/`: never another host (`//host`, `/\\host`)."""
    is_local = url.startswith("/") and url[1:2] not in ("/", "\\") and url.isprintable()
    return url if is_local else "/"


def session_view(session: Session) -> SessionView:
    user = User(
        id=session.user_id,
        type=session.type,
        name=session.name,
        email=session.email,
        email_verified=session.email_verified,
    )
    return SessionView(user=user, expires=None if session.key_id else session.expires_at)
