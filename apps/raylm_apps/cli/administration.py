"""`raylm admin`: who may see what only admins see."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from raylm.core.errors import UsageError
from raylm_apps.cli.output import Json, echo_json
from raylm_apps.cli.serving import DEFAULT_DATA_DIR, DataDir

Email = Annotated[str, typer.Argument(help="Of an account that exists.")]


def register(app: typer.Typer) -> None:
    room = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    room.command()(grant)
    room.command()(revoke)
    app.add_typer(
        room,
        name="admin",
        help="Make an account an admin, or no more.\n\nExample: raylm admin grant ada@example.com",
    )


def grant(email: Email, data_dir: DataDir = None, json: Json = False) -> None:
    """Make an account an admin. Works while `raylm up` runs, and while it does not.

    Example: raylm admin grant ada@example.com
    """
    _set(email, data_dir, json, is_admin=True)


def revoke(email: Email, data_dir: DataDir = None, json: Json = False) -> None:
    """Make an admin an ordinary user. RAYLM_ADMIN_EMAILS may still name the address.

    Example: raylm admin revoke ada@example.com
    """
    _set(email, data_dir, json, is_admin=False)


def _set(email: str, data_dir: Path | None, json: bool, *, is_admin: bool) -> None:
    from raylm_apps.gateway.accounts.cache import FRESH_S
    from raylm_apps.gateway.accounts.email_address import normalised
    from raylm_apps.gateway.accounts.roles import set_role
    from raylm_apps.gateway.settings import Settings
    from raylm_apps.gateway.stores import existing_database

    try:
        address = normalised(email)
    except ValueError as error:
        raise UsageError(f"{email!r} is not an e-mail address: {error}") from None
    folder = (data_dir or DEFAULT_DATA_DIR).expanduser().absolute()
    with existing_database(Settings.from_environment(), folder) as url:
        user = asyncio.run(set_role(url, address, "admin" if is_admin else "user"))
    if user is None:
        raise UsageError(f"no account has the address {address!r}; register it on the page first")
    typer.echo(f"{address} is {'an' if is_admin else 'no'} admin, within {FRESH_S:.0f} s")
    if json:
        echo_json({"id": user.id, "email": address, "admin": is_admin})
