"""Sign in with GitHub: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps"""

from typing import Any

from raylm_apps.gateway.accounts.email_address import normalised
from raylm_apps.gateway.accounts.identity import Identity, ProviderName, display_name
from raylm_apps.gateway.accounts.oauth import Credentials, Flow

SCOPE = "read:user user:email"


class GitHub:
    name: ProviderName = "github"

    def __init__(self, credentials: Credentials, url: str, api_url: str) -> None:
        self._credentials = credentials
        self._url = url.rstrip("/")
        self._api_url = api_url.rstrip("/")

    async def authorization_url(self, flow: Flow, redirect_uri: str) -> str:
        async with self._credentials.client(redirect_uri, SCOPE) as client:
            url, _ = client.create_authorization_url(
                f"{self._url}/login/oauth/authorize",
                state=flow.state,
                code_verifier=flow.code_verifier,
            )
        return str(url)

    async def identity(self, flow: Flow, redirect_uri: str, code: str) -> Identity:
        async with self._credentials.client(redirect_uri, SCOPE) as client:
            await client.fetch_token(
                f"{self._url}/login/oauth/access_token",
                code=code,
                code_verifier=flow.code_verifier,
            )
            user = await self._get(client, "/user")
            emails = await self._get(client, "/user/emails")
            return Identity(
                self.name,
                str(int(user["id"])),
                primary_verified(emails),
                display_name(user.get("name") or user["login"]),
            )

    async def _get(self, client: Any, path: str) -> Any:
        response = await client.get(f"{self._api_url}{path}")
        response.raise_for_status()
        return response.json()


def primary_verified(emails: list[dict[str, Any]]) -> str | None:
    for found in emails:
        if found["primary"] is True and found["verified"] is True:
            return normalised(found["email"])
    return None
