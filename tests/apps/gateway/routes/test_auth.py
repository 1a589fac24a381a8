import httpx
import pytest

from raylm_apps.gateway.routes.auth import local_path
from tests.apps.gateway.harness import GatewayProcess, User

pytestmark = pytest.mark.services


def test_a_guest_keeps_the_session(ada: User) -> None:
    session = ada.http.get("/api/auth/session").json()
    nobodys = {"name": None, "email": None, "emailVerified": False}
    assert session["user"] == {"id": ada.id, "type": "guest", **nobodys}
    again = ada.http.post("/api/auth/guest")
    assert again.json()["user"]["id"] == ada.id
    assert "set-cookie" not in again.headers


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(gateway: GatewayProcess) -> None:
    cookie = httpx.post(f"{gateway.base_url}/api/auth/guest").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_without_a_session(gateway: GatewayProcess) -> None:
    response = httpx.get(f"{gateway.base_url}/api/auth/session")
    assert response.json() == {"user": None, "expires": None}


def test_the_redirect_chain_of_a_new_guest(gateway: GatewayProcess) -> None:
    response = httpx.get(f"{gateway.base_url}/api/auth/guest?redirectUrl=/chat/abc")
    assert response.status_code == 307
    assert response.headers["location"] == "/chat/abc"
    assert "raylm_session=" in response.headers["set-cookie"]


@pytest.mark.parametrize(
    "url",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "", "/a\nb"],
)
def test_a_redirect_stays_on_the_site(url: str) -> None:
    assert local_path(url) == "/"
