"""The entrances' forms, and ways in through others."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.conftest import OpenPage


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page("/login").page


def test_the_login_page(page: Page) -> None:
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    expect(page.get_by_label("Email")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Sign up").click()
    expect(page).to_have_url(re.compile("/register$"))


def test_the_register_page(page: Page) -> None:
    page.goto("/register")
    expect(page.get_by_role("heading", name="Create account")).to_be_visible()
    expect(page.get_by_label("Email")).to_be_visible()
    expect(page.get_by_label("Password")).to_be_visible()
    expect(page.get_by_role("button", name="Sign up")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(re.compile("/login$"))


def test_a_password_that_is_too_short_is_not_sent(page: Page) -> None:
    page.goto("/register")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").press_sequentially("short")
    page.keyboard.press("Enter")
    assert page.get_by_label("Password").evaluate("field => field.validity.tooShort")
    assert not any("register" in url for url in sent)


def test_without_mail_and_providers_there_are_no_other_ways(page: Page) -> None:
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Forgot your password?")).to_have_count(0)
    expect(page.get_by_text("Continue with")).to_have_count(0)


@pytest.fixture
def open_gateway(stores: StoreUrls, tmp_path: Path) -> Iterator[GatewayProcess]:
    settings = environment(
        stores,
        tmp_path,
        GITHUB_CLIENT_ID="id",
        GITHUB_CLIENT_SECRET="secret",
        RAYLM_SMTP_URL="smtp://127.0.0.1:9",
        RAYLM_MAIL_FROM="no-reply@chat.example",
        RAYLM_PUBLIC_URL="http://chat.example",
    )
    with GatewayProcess(tmp_path / "log", settings) as process:
        yield process


def test_configured_ways_in_are_offered(open_gateway: GatewayProcess, page: Page) -> None:
    page.goto(f"{open_gateway.base_url}/login")
    github = page.get_by_role("link", name="Continue with GitHub")
    expect(github).to_have_attribute("href", "/api/auth/oauth/github?redirectUrl=/")
    expect(page.get_by_text("Continue with Google")).to_have_count(0)
    page.get_by_role("link", name="Forgot your password?").click()
    expect(page.get_by_role("heading", name="Forgot your password?")).to_be_visible()
    page.route("**/password/forgot", lambda route: route.fulfill(json={"success": True}))
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text("a mail is on its way")


def test_a_form_by_keyboard_alone(page: Page) -> None:
    page.get_by_label("Email").focus()
    page.keyboard.type("nobody@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("no such account")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
