"""The pages that links in mails lead to, opened as people open them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import PASSWORD, GatewayProcess, environment
from tests.apps.gateway.mail_server import MailServer, mail_server

CHANGED = "another good password"


@pytest.fixture(scope="module")
def mail() -> Iterator[MailServer]:
    with mail_server(None, "none") as server:
        yield server


@pytest.fixture(scope="module")
def mailing(
    stores: StoreUrls, mail: MailServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("mailing")
    settings = environment(
        stores,
        folder,
        RAYLM_SMTP_URL=mail.url,
        RAYLM_MAIL_FROM="no-reply@chat.example",
        RAYLM_PUBLIC_URL="http://chat.example",
    )
    with GatewayProcess(folder / "log", settings) as process:
        yield process


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_a_forgotten_password_is_replaced(
    page: Page, mailing: GatewayProcess, mail: MailServer
) -> None:
    user = mailing.user()
    email = user.register()
    user.http.post("/api/auth/password/forgot", json={"email": email})
    link = f"{mailing.base_url}/reset-password#{mail.token(email, 'password')}"
    for expected in ("Your password is changed.", "The link is used"):
        page.goto("about:blank")
        page.goto(link)
        expect(page).to_have_url(f"{mailing.base_url}/reset-password")
        page.get_by_label("New password").fill(CHANGED)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("status")).to_contain_text(expected)
    assert user.log_in(email, CHANGED).status_code == 200


def test_an_address_is_verified_by_who_signs_in(
    page: Page, mailing: GatewayProcess, mail: MailServer
) -> None:
    user = mailing.user()
    email = user.register()
    page.goto(f"{mailing.base_url}/verify-email#{mail.token(email, 'e-mail address')}")
    expect(page.get_by_role("status")).to_contain_text("Sign in to the account")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill("a wrong one")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_contain_text("Email or password is wrong")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_contain_text("Your email address is verified.")
    assert user.log_in(email).json()["user"]["emailVerified"] is True
