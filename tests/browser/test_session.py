"""Guests and accounts: becoming one, being one, leaving."""

import re

import pytest
from playwright.sync_api import expect

from tests.apps.gateway.harness import new_email
from tests.browser.conftest import OpenPage
from tests.browser.pages.account import AccountPage
from tests.browser.pages.chat import ChatPage

HOME = re.compile(r":\d+/$")


@pytest.fixture
def account(chat: ChatPage) -> AccountPage:
    return AccountPage(chat.page)


def test_a_visitor_is_a_guest_at_once(account: AccountPage) -> None:
    expect(account.user_email).to_have_text("Guest")
    account.user_button.click()
    expect(account.menu).to_be_visible()
    expect(account.auth_item).to_have_text("Login to your account")
    account.auth_item.click()
    expect(account.page).to_have_url(re.compile("/login$"))


def test_a_guest_may_look_at_both_entrances(account: AccountPage) -> None:
    for path in ("/login", "/register"):
        account.page.goto(path)
        expect(account.page).to_have_url(re.compile(f"{path}$"))
        expect(account.page.get_by_label("Email")).to_be_visible()


def test_registering_signs_in(account: AccountPage) -> None:
    email = account.register()
    expect(account.page).to_have_url(HOME)
    expect(account.user_email).to_have_text(email)
    account.user_button.click()
    expect(account.auth_item).to_have_text("Sign out")


def test_an_address_is_registered_once(account: AccountPage, open_page: OpenPage) -> None:
    email = account.register()
    other = AccountPage(open_page("/register").page)
    other.fill(email)
    other.page.get_by_role("button", name="Sign up").click()
    expect(other.toast).to_contain_text("Account already exists!")
    expect(other.page).to_have_url(re.compile("/register$"))


def test_logging_in_and_out(account: AccountPage) -> None:
    email = account.register()
    account.sign_out()
    expect(account.page).to_have_url(HOME)
    account.log_in(email, "not the password")
    expect(account.page.get_by_role("alert")).to_have_text("Email or password is wrong.")
    account.log_in(email)
    expect(account.page).to_have_url(HOME)
    expect(account.user_email).to_have_text(email)


def test_a_guest_session_does_not_replace_a_real_one(account: AccountPage) -> None:
    email = account.register()
    account.page.goto("/api/auth/guest")
    expect(account.user_email).to_have_text(email)


def test_who_is_signed_in_needs_no_entrance(account: AccountPage) -> None:
    account.register()
    for path in ("/login", "/register"):
        account.page.goto(path)
        expect(account.page).to_have_url(HOME)


@pytest.mark.parametrize("way", ["register", "log in"])
def test_a_guests_chats_come_along(open_page: OpenPage, way: str) -> None:
    chat = open_page()
    account = AccountPage(chat.page)
    email = new_email()
    if way == "log in":
        AccountPage(open_page().page).register(email)
    chat.ask("As a guest", "mock/echo")
    chat.wait_for_answer("As a guest")
    if way == "register":
        account.register(email)
    else:
        account.log_in(email)
    expect(account.user_email).to_have_text(email)
    chat.sidebar.chat("As a guest").click()
    expect(chat.last_answer).to_have_text("As a guest")


def test_nothing_of_an_account_is_left_behind(account: AccountPage, chat: ChatPage) -> None:
    account.register()
    chat.ask("A secret", "mock/echo")
    chat.wait_for_answer("A secret")
    chat.input.fill("Half a thought")
    account.sign_out()
    expect(chat.input).to_have_value("")
    expect(chat.sidebar.chat("A secret")).to_have_count(0)
    assert chat.page.evaluate("Object.keys(localStorage).filter(k => k.includes('draft'))") == []
