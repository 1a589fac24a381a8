"""Who is asking: a guest or an account with a cookie, or a program with an API key."""

from typing import Annotated

from fastapi import Depends, Request, Response

from raylm_apps.gateway.accounts.session import LIFETIME_S, Session
from raylm_apps.gateway.client_address import address_of, parse_networks
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.security import api_key
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.settings import Settings

COOKIE = "raylm_session"


def is_https(request: Request, settings: Settings) -> bool:
    if settings.public_url is not None:
        return settings.public_url.startswith("https://")
    return request.url.scheme == "https"


def set_cookie(request: Request, response: Response, settings: Settings, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=LIFETIME_S,
        httponly=True,
        samesite="lax",
        secure=is_https(request, settings),
    )


async def read_session(request: Request, gateway: Gateway) -> Session | None:
    """A key that is wrong is an error; a cookie that has ended is nobody's."""
    key = api_key(request.headers)
    if key is not None:
        return await user_of_api_key(gateway, key)
    return await session_of_cookie(gateway, request.cookies.get(COOKIE))


async def session_of_cookie(gateway: Services, token: str | None) -> Session | None:
    if not token:
        return None
    if "." in token:
        return gateway.signing.guests.read(token)
    return await gateway.sessions.read(token)


async def user_of_api_key(gateway: Services, key: str) -> Session:
    """Raises unauthorized."""
    session = await gateway.sessions.read_key(key)
    if session is None:
        raise ApiError("unauthorized:auth", "the API key is not known")
    return session


async def require_session(session: Annotated[Session | None, Depends(read_session)]) -> Session:
    if session is None:
        raise ApiError("unauthorized:chat")
    return session


MaybeUser = Annotated[Session | None, Depends(read_session)]
SignedIn = Annotated[Session, Depends(require_session)]


async def require_account(session: SignedIn) -> Session:
    """Someone who signed in; a key may chat, but not change the account it belongs to."""
    if session.id is None:
        raise ApiError("forbidden:auth", "sign in with an account")
    return session


async def require_admin(session: SignedIn) -> Session:
    if session.type != "admin":
        raise ApiError("forbidden:auth", "for admins")
    return session


AccountHolder = Annotated[Session, Depends(require_account)]
RequireAdmin = Annotated[Session, Depends(require_admin)]


async def client_address(request: Request, gateway: Gateway) -> str:
    return address_of(request, parse_networks(gateway.settings.trusted_proxies))


ClientAddress = Annotated[str, Depends(client_address)]
