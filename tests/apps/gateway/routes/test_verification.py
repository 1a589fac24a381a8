"""An address is its owner's once they have shown both: its mail, and the account's session."""

from collections.abc import Callable

import httpx
import pytest

from tests.apps.gateway.accounts.provider import Provider, sign_in
from tests.apps.gateway.harness import GatewayProcess, User, eventually, new_email
from tests.apps.gateway.mail_server import MailServer, link_of

pytestmark = pytest.mark.services
VERIFY = "e-mail address"


@pytest.fixture
def gateway(mailing: GatewayProcess) -> GatewayProcess:
    return mailing


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def verify(user: User, token: str) -> httpx.Response:
    return user.http.post("/api/auth/verify", json={"token": token})


def is_verified(user: User) -> bool:
    verified: bool = user.http.get("/api/auth/session").json()["user"]["emailVerified"]
    return verified


def test_a_new_account_is_asked_whose_the_address_is(ada: User, mail: MailServer) -> None:
    assert not is_verified(ada)
    email = ada.register()
    assert not is_verified(ada)
    token = mail.token(email, VERIFY)
    letter = mail.letter(email, VERIFY)
    assert "RayLM" in letter.get_content()
    assert link_of(letter) == f"http://chat.example/verify-email#{token}"
    assert verify(ada, token).json() == {"success": True}
    assert is_verified(ada)
    assert refusal(verify(ada, token)) == (400, "bad_request:token")


def test_nothing_waits_for_it(ada: User, chat: str) -> None:
    ada.register()
    assert ada.ask("Hello", chat=chat).status_code == 200
    assert len(ada.messages(chat)) == 2


def test_another_mail_can_be_had_until_the_address_is_proved(ada: User, mail: MailServer) -> None:
    email = ada.register()
    first = mail.token(email, VERIFY)
    assert ada.http.post("/api/auth/verify/mail").json() == {"success": True}
    eventually(lambda: len(mail.letters_to(email)) == 2, within_s=20)
    verify(ada, first)
    assert ada.http.post("/api/auth/verify/mail").json() == {"success": True}
    assert len(mail.letters_to(email)) == 2


@pytest.mark.parametrize("why", ["expired", "another account", "a guest", "resets"])
def test_a_token_that_proves_nothing(
    ada: User, babbage: User, mail: MailServer, execute: Callable[..., None], why: str
) -> None:
    email = ada.register()
    token, user, expected = mail.token(email, VERIFY), ada, (400, "bad_request:token")
    if why == "expired":
        execute("update proofs set expires_at = now() where email = $1", email)
    elif why == "another account":
        babbage.register()
        user = babbage
    elif why == "a guest":
        user, expected = babbage, (403, "forbidden:auth")
    else:
        ada.http.post("/api/auth/password/forgot", json={"email": email})
        token = mail.token(email, "password")
    assert refusal(verify(user, token)) == expected
    assert not is_verified(ada)
    assert not is_verified(user)


def test_a_mail_that_is_opened_by_mistake_lends_nothing(
    ada: User, babbage: User, mail: MailServer, github: Provider
) -> None:
    """Pre-hijacking: Babbage registers Ada's address; she opens the link, signed in as herself or
    not at all. His account is not hers, and her GitHub does not lead into it."""
    email = babbage.register(new_email())
    token = mail.token(email, VERIFY)
    assert refusal(verify(ada, token)) == (403, "forbidden:auth")
    ada.register()
    assert refusal(verify(ada, token)) == (400, "bad_request:token")
    github.become(email)
    assert refusal(sign_in(ada.http, github)) == (409, "conflict:auth")
    assert not is_verified(babbage)


def test_a_proved_address_is_known_to_a_provider(
    ada: User, babbage: User, mail: MailServer, github: Provider
) -> None:
    email = ada.register()
    verify(ada, mail.token(email, VERIFY))
    github.become(email)
    assert sign_in(babbage.http, github).status_code == 302
    assert babbage.http.get("/api/auth/session").json()["user"]["id"] == ada.id


def test_a_named_admin_is_one_once_the_address_is_proved(ada: User, mail: MailServer) -> None:
    ada.register("chief@example.com")
    assert ada.kind == "regular"
    verify(ada, mail.token("chief@example.com", VERIFY))
    assert ada.kind == "admin"
