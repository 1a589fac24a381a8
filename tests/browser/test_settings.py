"""The settings page."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.account import AccountPage
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def account(chat: ChatPage) -> AccountPage:
    return AccountPage(chat.page)


def test_the_menu_leads_to_the_settings(account: AccountPage) -> None:
    account.user_button.click()
    account.menu.get_by_role("menuitem", name="Settings").click()
    expect(account.page).to_have_url(re.compile("/settings$"))
    expect(account.page.get_by_role("heading", name="Settings")).to_be_visible()
    expect(account.section("Sessions")).to_have_count(0)


def test_theme_language_and_model(chat: ChatPage) -> None:
    chat.page.goto("/settings")
    chat.page.get_by_label("Theme").select_option("Dark")
    expect(chat.html).to_have_class("dark")
    chat.page.get_by_label("Default model").select_option("Mock slow")
    chat.page.get_by_label("Language").select_option("Deutsch")
    expect(chat.page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    expect(chat.html).to_have_attribute("lang", "de")
    chat.page.goto("/")
    expect(chat.model_selector).to_have_text("Mock slow")
    expect(chat.input).to_have_attribute("placeholder", re.compile("^Fragen"))


def test_usage_in_a_table_and_a_chart(chat: ChatPage, account: AccountPage) -> None:
    usage = account.section("Usage")
    account.page.goto("/settings")
    expect(usage).to_contain_text("Nothing was used yet.")
    account.page.goto("/")
    chat.ask("one two three", "mock/echo")
    chat.wait_for_answer("one two three")
    account.page.goto("/settings")
    row = usage.get_by_role("row", name="mock/echo")
    expect(row.get_by_role("cell").first).to_have_text("1")
    expect(usage.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"\d+ in all"))


def test_an_api_key_is_shown_once(account: AccountPage, open_page: OpenPage) -> None:
    account.arrive_registered("/settings")
    keys = account.section("API keys")
    keys.get_by_label("Name of a new key").fill("My script")
    keys.get_by_role("button", name="Create key").click()
    dialog = account.page.get_by_role("dialog", name="Your new key")
    key = dialog.get_by_test_id("new-api-key").inner_text()
    assert key.startswith("raylm_")
    dialog.get_by_role("button", name="Done").click()
    expect(keys.get_by_role("listitem")).to_contain_text("My script")
    assert key not in account.page.content()
    models = account.page.request.get("/v1/models", headers={"authorization": f"Bearer {key}"})
    assert models.status == 200

    keys.get_by_role("button", name="Budget of My script").click()
    budget = account.page.get_by_role("dialog", name="Budget of My script")
    budget.get_by_label("Period").select_option("every day")
    budget.get_by_label("Requests").fill("5")
    budget.get_by_role("button", name="Save").click()
    expect(keys.get_by_role("listitem")).to_contain_text("At most 5 requests every day")

    keys.get_by_role("button", name="Delete My script").click()
    account.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(keys.get_by_role("listitem")).to_have_count(0)


def test_sessions_are_listed_and_ended(account: AccountPage, open_page: OpenPage) -> None:
    email = account.arrive_registered("/settings")
    other = AccountPage(open_page("/login").page)
    other.log_in(email)
    expect(other.user_email).to_have_text(email)
    account.page.reload()
    sessions = account.section("Sessions")
    expect(sessions.get_by_role("listitem")).to_have_count(2)
    expect(sessions).to_contain_text("This device")
    sessions.get_by_role("button", name="Log out", exact=True).click()
    expect(sessions.get_by_role("listitem")).to_have_count(1)
    sessions.get_by_role("button", name="Log out everywhere").click()
    expect(account.user_email).to_have_text("Guest")


def test_the_password_is_changed(account: AccountPage) -> None:
    email = account.arrive_registered("/settings")
    section = account.section("Password")
    section.get_by_label("Current password").fill("not the one")
    section.get_by_label("New password").fill("another good password")
    section.get_by_role("button", name="Change password").click()
    expect(section.get_by_role("alert")).to_contain_text("current password is not right")
    section.get_by_label("Current password").fill("correct horse battery")
    section.get_by_role("button", name="Change password").click()
    expect(account.toast).to_contain_text("Your password is changed.")
    account.sign_out()
    account.log_in(email, "another good password")
    expect(account.user_email).to_have_text(email)


def test_all_data_is_taken_along(chat: ChatPage, account: AccountPage) -> None:
    chat.ask("To take along", "mock/echo")
    chat.wait_for_answer("To take along")
    account.page.goto("/settings")
    with account.page.expect_download() as download:
        account.page.get_by_role("link", name="Export as JSON").click()
    exported = json.loads(Path(download.value.path()).read_text())
    assert [chat["title"] for chat in exported["chats"]] == ["To take along"]
    with account.page.expect_download() as download:
        account.page.get_by_role("link", name="Export with files").click()
    assert Path(download.value.path()).read_bytes().startswith(b"PK")


def test_chats_and_the_account_are_deleted_after_a_yes(
    chat: ChatPage, account: AccountPage
) -> None:
    email = account.arrive_registered("/")
    chat.ask("Soon gone", "mock/echo")
    chat.wait_for_answer("Soon gone")
    account.page.goto("/settings")
    data, dialog = account.section("Your data"), account.page.get_by_role("alertdialog")
    data.get_by_role("button", name="Delete all chats").click()
    dialog.get_by_role("button", name="Delete all chats").click()
    expect(account.toast).to_contain_text("All chats are deleted.")
    expect(chat.sidebar.chat("Soon gone")).to_have_count(0)
    data.get_by_role("button", name="Delete account").click()
    dialog.get_by_role("button", name="Cancel").click()
    expect(account.user_email).to_have_text(email)
    data.get_by_role("button", name="Delete account").click()
    dialog.get_by_role("button", name="Delete account").click()
    expect(account.user_email).to_have_text("Guest")
    account.log_in(email)
    expect(account.page.get_by_role("alert")).to_have_text("Email or password is wrong.")
