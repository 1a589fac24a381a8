"""Who is signed in."""

from datetime import datetime
from typing import Literal

from raylm_apps.gateway.wire.base import Wire


class User(Wire):
    id: str
    type: Literal["guest", "regular", "admin"]
    name: str | None = None
    email: str | None = None
    email_verified: bool = False


class SessionView(Wire):
    user: User | None
    expires: datetime | None = None
