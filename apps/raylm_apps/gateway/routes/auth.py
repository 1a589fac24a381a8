"""Guest sessions."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from raylm_apps.gateway.auth import RENEW_AFTER_S, MaybeUser, Session, set_cookie
from raylm_apps.gateway.schemas import SessionView, User

router = APIRouter(prefix="/api/auth", tags=["auth"])


@router.get("/session")
async def read(request: Request, response: Response, session: MaybeUser) -> SessionView:
    """Whose cookie this is; a cookie in use is renewed."""
    response.headers["cache-control"] = "no-store"
    if session is None:
        return SessionView(user=None)
    renewed = session.renewed()
    if renewed.issued_at - session.issued_at > RENEW_AFTER_S:
        set_cookie(request, response, renewed)
        session = renewed
    return _view(session)


@router.post("/guest")
async def start_guest(request: Request, response: Response, session: MaybeUser) -> SessionView:
    """A guest session, unless there is a session already."""
    response.headers["cache-control"] = "no-store"
    if session is None:
        session = Session.for_new_guest()
        set_cookie(request, response, session)
    return _view(session)


@router.get("/guest", status_code=307, response_class=RedirectResponse)
async def start_guest_and_return(
    request: Request,
    session: MaybeUser,
    redirect_url: Annotated[str, Query(alias="redirectUrl")] = "/",
) -> Response:
    response = RedirectResponse(local_path(redirect_url), status_code=307)
    if session is None:
        set_cookie(request, response, Session.for_new_guest())
    return response


def local_path(url: str) -> str:
    """A path of this site, or `/`: never another host (`//host`, `/\\host`)."""
    is_local = url.startswith("/") and url[1:2] not in ("/", "\\") and url.isprintable()
    return url if is_local else "/"


def _view(session: Session) -> SessionView:
    return SessionView(user=User(id=session.user_id, type="guest"), expires=session.expires_at)
