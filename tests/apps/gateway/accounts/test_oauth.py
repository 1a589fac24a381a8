"""Signing in at a provider, over real HTTP on both sides, and whatever must not sign anybody in."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.accounts.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Provider,
    running_provider,
)
from tests.apps.gateway.harness import GatewayProcess, User, environment, new_email, new_id

pytestmark = pytest.mark.services
ADMIN = "boss@example.com"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls, running: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("oauth")
    settings = {
        "GITHUB_CLIENT_ID": CLIENT_ID,
        "GITHUB_CLIENT_SECRET": CLIENT_SECRET,
        "GOOGLE_CLIENT_ID": CLIENT_ID,
        "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        "RAYLM_GITHUB_URL": running.url,
        "RAYLM_GITHUB_API_URL": running.url,
        "RAYLM_GOOGLE_ISSUER": running.url,
        "RAYLM_ADMIN_EMAILS": f"{ADMIN.upper()}, other@example.com",
    }
    with GatewayProcess(folder / "log", environment(stores, folder) | settings) as process:
        yield process


@pytest.fixture
def provider(running: Provider) -> Provider:
    """As whom the next user signs in: somebody new, whose address is verified."""
    email, number = new_email(), int(new_id()[:8], 16)
    running.user = {"id": number, "login": "ada", "name": "Ada"}
    running.emails = [{"email": email, "primary": True, "verified": True}]
    running.claims = {"sub": str(number), "email": email, "email_verified": True, "name": "Ada"}
    running.is_broken, running.signed_by = False, None
    return running


def set_email(provider: Provider, email: str, *, verified: bool = True) -> None:
    provider.emails = [{"email": email, "primary": True, "verified": verified}]
    provider.claims |= {"email": email, "email_verified": verified}


def go(user: httpx.Client, name: str, query: str = "") -> str:
    left = user.get(f"/api/auth/oauth/{name}{query}")
    assert left.status_code == 302, left.text
    return left.headers["location"]


def come_back(user: httpx.Client, name: str, brought: dict[str, str]) -> httpx.Response:
    return user.get(f"/api/auth/oauth/{name}/callback", params=brought)


def sign_in(user: User, provider: Provider, name: str, query: str = "") -> httpx.Response:
    return come_back(user.http, name, provider.grant(go(user.http, name, query)))


def me(user: User) -> dict[str, Any]:
    found: dict[str, Any] = user.http.get("/api/auth/session").json()["user"]
    return found


BOTH = pytest.mark.parametrize("name", ["github", "google"])


@BOTH
def test_a_guest_signs_in_and_keeps_the_chats(
    ada: User, provider: Provider, name: str, chat: str
) -> None:
    ada.ask("Mine", chat=chat)
    planted = ada.token
    answer = sign_in(ada, provider, name, f"?redirectUrl=/chat/{chat}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"/chat/{chat}")
    assert me(ada)["type"] == "regular"
    assert (me(ada)["email"], me(ada)["name"]) == (provider.claims["email"], "Ada")
    assert [c["id"] for c in ada.http.get("/api/history").json()["chats"]] == [chat]
    assert ada.token != planted


@BOTH
def test_the_same_user_is_the_same_account(
    ada: User, babbage: User, provider: Provider, name: str
) -> None:
    sign_in(ada, provider, name)
    set_email(provider, new_email())
    sign_in(babbage, provider, name)
    assert me(ada) == me(babbage)


def test_the_way_out_has_all_that_protects_the_way_back(ada: User, provider: Provider) -> None:
    asked = parse_qs(urlsplit(go(ada.http, "google")).query)
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    base_url = str(ada.http.base_url).rstrip("/")
    assert asked["redirect_uri"] == [f"{base_url}/api/auth/oauth/google/callback"]


def test_two_providers_that_verified_one_address_are_one_account(
    ada: User, babbage: User, provider: Provider
) -> None:
    sign_in(ada, provider, "github")
    sign_in(babbage, provider, "google")
    assert me(ada)["id"] == me(babbage)["id"]


@BOTH
def test_an_unverified_address_opens_no_account_and_claims_none(
    ada: User, babbage: User, provider: Provider, name: str
) -> None:
    sign_in(ada, provider, name)
    set_email(provider, me(ada)["email"], verified=False)
    provider.user["id"] += 1
    provider.claims["sub"] += "1"
    sign_in(babbage, provider, name)
    assert me(babbage)["id"] != me(ada)["id"]
    assert me(babbage)["email"] is None


@BOTH
def test_a_password_account_is_not_opened_by_a_provider(
    ada: User, babbage: User, provider: Provider, name: str
) -> None:
    """Whoever registered the address need not be its owner: neither gets the other's account."""
    set_email(provider, ada.register())
    refused = sign_in(babbage, provider, name)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict:auth")
    assert me(babbage)["type"] == "guest"


@BOTH
def test_an_account_can_be_given_another_way_in(
    ada: User, babbage: User, provider: Provider, name: str
) -> None:
    set_email(provider, ada.register())
    assert sign_in(ada, provider, name, "?link=true").status_code == 302
    sign_in(babbage, provider, name)
    assert me(babbage)["id"] == me(ada)["id"] == ada.id


def test_linking_needs_the_account_that_began_it(
    ada: User, babbage: User, provider: Provider
) -> None:
    assert ada.http.get("/api/auth/oauth/github?link=true").status_code == 401
    ada.register()
    brought = provider.grant(go(ada.http, "github", "?link=true"))
    ada.register()
    refused = come_back(ada.http, "github", brought)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:auth")


def test_a_linked_user_of_another_account_stays_there(
    ada: User, babbage: User, provider: Provider
) -> None:
    sign_in(ada, provider, "github")
    babbage.register()
    refused = sign_in(babbage, provider, "github", "?link=true")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict:auth")


@BOTH
@pytest.mark.parametrize(
    "attack", ["state", "no state", "other browser", "other provider", "again"]
)
def test_a_callback_that_this_browser_did_not_begin(
    ada: User, babbage: User, provider: Provider, name: str, attack: str
) -> None:
    brought = provider.grant(go(ada.http, name))
    go(babbage.http, name)
    user, back_from = ada, name
    if attack == "state":
        brought["state"] = "forged"
    elif attack == "no state":
        del brought["state"]
    elif attack == "other browser":
        user = babbage
    elif attack == "other provider":
        back_from = "google" if name == "github" else "github"
    else:
        assert come_back(ada.http, name, brought).status_code == 302
    signed_in_as = me(user)
    refused = come_back(user.http, back_from, brought)
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:auth")
    assert me(user) == signed_in_as


def test_a_code_of_another_flow_fails_by_its_verifier(
    ada: User, babbage: User, provider: Provider
) -> None:
    stolen = provider.grant(go(babbage.http, "github"))["code"]
    own = provider.grant(go(ada.http, "github"))
    refused = come_back(ada.http, "github", own | {"code": stolen})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:auth")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "replayed"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in(
    ada: User, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    refused = sign_in(ada, provider, "google")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:auth")
    assert me(ada)["type"] == "guest"


def test_an_id_token_that_another_key_signed(ada: User, provider: Provider) -> None:
    provider.signed_by = RSAKey.generate_key(2048, {"kid": "one"})
    refused = sign_in(ada, provider, "google")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_request:auth")


def test_an_issuers_new_key_is_fetched(ada: User, babbage: User, provider: Provider) -> None:
    sign_in(ada, provider, "google")
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert sign_in(babbage, provider, "google").status_code == 302
    assert me(babbage)["type"] == "regular"


@BOTH
def test_a_provider_that_fails_is_named_so(ada: User, provider: Provider, name: str) -> None:
    provider.is_broken = True
    refused = sign_in(ada, provider, name)
    assert (refused.status_code, refused.json()["code"]) == (503, "offline:auth")


def test_whoever_says_no_is_back_where_they_were(ada: User, provider: Provider) -> None:
    state = provider.grant(go(ada.http, "github", "?redirectUrl=/login"))["state"]
    answer = come_back(ada.http, "github", {"error": "access_denied", "state": state})
    assert (answer.status_code, answer.headers["location"]) == (302, "/login")
    assert me(ada)["type"] == "guest"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_way_back_stays_on_the_site(ada: User, provider: Provider, target: str) -> None:
    brought = provider.grant(go(ada.http, "github", f"?redirectUrl={target}"))
    assert come_back(ada.http, "github", brought).headers["location"] == "/"


def test_a_verified_address_makes_an_admin_and_a_registered_one_does_not(
    ada: User, babbage: User, provider: Provider
) -> None:
    babbage.register("other@example.com")
    assert me(babbage)["type"] == "regular"
    set_email(provider, ADMIN)
    sign_in(ada, provider, "google")
    assert me(ada)["type"] == "admin"


def test_the_ways_in_are_told(gateway: GatewayProcess, ada: User) -> None:
    assert ada.http.get("/api/auth/oauth").json()["oauth"] == ["github", "google"]
    assert ada.http.get("/api/auth/oauth/gitlab").status_code == 400


def test_no_secret_of_a_sign_in_is_told_or_logged(
    ada: User, provider: Provider, gateway: GatewayProcess
) -> None:
    left = ada.http.get("/api/auth/oauth/google")
    brought = provider.grant(left.headers["location"])
    provider.claims["nonce"] = "replayed"
    refused = come_back(ada.http, "google", brought)
    for text in (refused.text, left.text, str(left.headers), gateway.said):
        assert CLIENT_SECRET not in text
    assert "a sign-in was refused" in gateway.said
    assert provider.claims["email"] not in gateway.said
