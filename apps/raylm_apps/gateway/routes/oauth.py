"""Signing in at GitHub or Google: there, and back."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from raylm_apps.gateway.accounts.identity import ProviderName
from raylm_apps.gateway.accounts.oauth import FLOW_LIFETIME_S, Flow, OAuthProvider
from raylm_apps.gateway.auth import MaybeUser, is_https
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.routes.accounts import AnyVisitor, entered
from raylm_apps.gateway.routes.auth import local_path
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.wire.accounts import WaysInView

FLOW_COOKIE = "raylm_sign_in"
PATH = "/api/auth/oauth"
FOUND: dict[int | str, dict[str, Any]] = {
    302: {"description": "on to the provider, or back to the page"}
}
router = APIRouter(prefix=PATH, tags=["auth"])


@router.get("")
async def ways_in(gateway: Gateway) -> WaysInView:
    """What the gateway was given credentials for."""
    return WaysInView(oauth=sorted(gateway.oauth), mail=gateway.outbox.is_open)


@router.get("/{provider}", status_code=302, response_class=RedirectResponse, responses=FOUND)
async def leave(
    request: Request,
    gateway: Gateway,
    session: MaybeUser,
    provider: ProviderName,
    redirect_url: Annotated[str, Query(alias="redirectUrl")] = "/",
    link: Annotated[bool, Query(description="to the account that is signed in")] = False,
) -> Response:
    if link and (session is None or session.id is None):
        raise ApiError("unauthorized:auth", "sign in first, to link another way in")
    if link and session is not None:
        await gateway.sessions.require_fresh(session)
    link_to = session.user_id if link and session is not None else None
    flow = Flow.begin(provider, local_path(redirect_url), link_to)
    url = await _provider(gateway, provider).authorization_url(
        flow, _redirect_uri(request, gateway, provider)
    )
    response = RedirectResponse(url, status_code=302, headers={"cache-control": "no-store"})
    response.set_cookie(
        FLOW_COOKIE,
        flow.sealed(gateway.signing.flows),
        max_age=FLOW_LIFETIME_S,
        path=PATH,
        httponly=True,
        samesite="lax",
        secure=is_https(request, gateway.settings),
    )
    return response


@router.get(
    "/{provider}/callback", status_code=302, response_class=RedirectResponse, responses=FOUND
)
async def come_back(
    request: Request,
    gateway: Gateway,
    visitor: AnyVisitor,
    provider: ProviderName,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Signed in, if this browser has begun it; without a code the user has changed their mind."""
    await gateway.limits.spend(gateway.entitlements.login_from(visitor.address))
    cookie = request.cookies.get(FLOW_COOKIE, "")
    flow = Flow.resume(gateway.signing.flows, cookie, provider, state)
    response = RedirectResponse(flow.return_to, status_code=302)
    response.delete_cookie(FLOW_COOKIE, path=PATH, httponly=True, samesite="lax")
    if code is None:
        return response
    identity = await _provider(gateway, provider).identity(
        flow, _redirect_uri(request, gateway, provider), code
    )
    if flow.link_to is None:
        token = await gateway.accounts.log_in_as(visitor, identity)
    elif visitor.session is not None and visitor.session.user_id == flow.link_to:
        token = await gateway.accounts.link(visitor, flow.link_to, identity)
    else:
        raise ApiError("bad_request:auth", "another account was signed in meanwhile")
    await entered(request, response, gateway, visitor, token)
    return response


def _provider(gateway: Services, name: ProviderName) -> OAuthProvider:
    if name not in gateway.oauth:
        cause = f"{name} needs {name.upper()}_CLIENT_ID and {name.upper()}_CLIENT_SECRET"
        raise ApiError("not_found:auth", cause)
    return gateway.oauth[name]


def _redirect_uri(request: Request, gateway: Services, name: ProviderName) -> str:
    base = gateway.settings.public_url or str(request.base_url)
    return f"{base.rstrip('/')}{PATH}/{name}/callback"
