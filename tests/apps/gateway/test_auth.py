import pytest

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.auth import require_account, require_admin, require_session
from raylm_apps.gateway.errors import ApiError

GUEST = Session("guest", 0)
REGULAR = Session("ada", 0, "regular", id="session")
PROGRAM = Session("ada", 0, "regular", key_id="key")
ADMIN = Session("boss", 0, "admin", id="session")


async def code(require, session: Session | None) -> str | None:
    try:
        assert await require(session) is session
    except ApiError as error:
        return error.code
    return None


@pytest.mark.parametrize("session", [GUEST, REGULAR, PROGRAM, ADMIN])
async def test_anybody_with_a_session_is_signed_in(session: Session) -> None:
    assert await code(require_session, session) is None


async def test_nobody_is_not() -> None:
    assert await code(require_session, None) == "unauthorized:chat"


async def test_an_account_is_changed_by_who_signed_in_to_it() -> None:
    assert await code(require_account, REGULAR) is None
    assert await code(require_account, GUEST) == "forbidden:auth"
    assert await code(require_account, PROGRAM) == "forbidden:auth"


async def test_admins_alone_see_what_is_for_admins() -> None:
    assert await code(require_admin, ADMIN) is None
    assert await code(require_admin, REGULAR) == "forbidden:auth"
    assert await code(require_admin, GUEST) == "forbidden:auth"
