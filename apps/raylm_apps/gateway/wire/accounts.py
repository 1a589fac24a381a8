"""Accounts, their sessions and their API keys on the wire."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from raylm_apps.gateway.accounts.email_address import Email
from raylm_apps.gateway.wire.base import Wire
from raylm_apps.gateway.wire.budget import OwnBudget, OwnBudgetView

# A longer one adds nothing but work.
Password = Annotated[SecretStr, Field(min_length=8, max_length=256)]
MailedToken = Annotated[SecretStr, Field(min_length=1, max_length=100)]
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"
    ),
]


class Registration(Wire):
    email: Email
    password: Password
    name: Name | None = None


class Login(Wire):
    email: Email
    password: Annotated[SecretStr, Field(max_length=256)]


class PasswordChange(Wire):
    current: Annotated[SecretStr, Field(max_length=256)] | None = Field(
        None, description="left out where the account has no password yet"
    )
    password: Password


class Forgotten(Wire):
    email: Email


class MailedProof(Wire):
    token: MailedToken


class PasswordReset(MailedProof):
    password: Password


class AccountSessionView(Wire):
    id: str
    user_agent: str
    address: str
    created_at: datetime
    renewed_at: datetime
    is_current: bool


class AccountSessionsView(Wire):
    sessions: list[AccountSessionView]


class NewKey(Wire):
    name: Name


class KeyPatch(Wire):
    budget: OwnBudget | None = Field(description="what the key may use at most; null for no more")


class ApiKeyView(Wire):
    id: str
    name: str
    prefix: str = Field(description="how the key begins")
    created_at: datetime
    last_used_at: datetime | None
    budget: OwnBudgetView | None = Field(None, description="that its owner has set")


class NewKeyView(ApiKeyView):
    key: str = Field(description="shown this once")


class ApiKeysView(Wire):
    keys: list[ApiKeyView]


class WaysInView(Wire):
    password: Literal[True] = True
    oauth: list[Literal["github", "google"]]
    mail: bool = Field(description="whether a forgotten password can be replaced by mail")
