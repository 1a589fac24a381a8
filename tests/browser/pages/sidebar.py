"""The list of chats and what surrounds it."""

from playwright.sync_api import Locator, Page


class Sidebar:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.chats = page.get_by_role("navigation", name="Chats")
        self.toggle = page.get_by_test_id("sidebar-toggle-button")
        self.new_chat = page.get_by_role("button", name="New chat", exact=True)
        self.user = page.get_by_test_id("user-nav-button")

    def chat(self, title: str) -> Locator:
        return self.chats.get_by_role("link", name=title, exact=True)

    def choose(self, title: str, action: str) -> None:
        """From the chat's own menu."""
        self.chat(title).hover()
        self._page.get_by_role("button", name=f"Options for {title}").click()
        self._page.get_by_role("menuitem", name=action).click()

    def choose_theme(self, name: str) -> None:
        self.user.click()
        self._page.get_by_role("menuitemradio", name=name).click()
