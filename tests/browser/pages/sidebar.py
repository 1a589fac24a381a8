"""The list of chats and what surrounds it."""

from playwright.sync_api import Locator, Page


class Sidebar:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.chats = page.get_by_role("navigation", name="Chats")
        self.rows = self.chats.get_by_role("listitem")
        self.titles = self.chats.get_by_role("link")
        self.toggle = page.get_by_test_id("sidebar-toggle-button")
        self.new_chat = page.get_by_role("button", name="New chat", exact=True)
        self.user = page.get_by_test_id("user-nav-button")
        self.title_field = page.get_by_role("textbox", name="Chat title")
        self.folder_field = page.get_by_role("textbox", name="Folder name")
        self.selection = page.get_by_role("toolbar", name="Selected chats")
        self.back = page.get_by_role("button", name="Back to chats")
        self.undo = page.get_by_role("button", name="Undo")
        self.search = Search(page)

    def chat(self, title: str) -> Locator:
        return self.chats.get_by_role("link", name=title, exact=True)

    def box(self, title: str) -> Locator:
        """The chat's, while several are chosen."""
        return self.chats.get_by_role("checkbox", name=title, exact=True)

    def folder(self, name: str) -> Locator:
        return self.chats.get_by_role("button", name=name, exact=True)

    def dot(self, title: str, activity: str) -> Locator:
        link = self._page.get_by_role("link", name=title, exact=True)
        row = self.chats.get_by_role("listitem").filter(has=link)
        return row.get_by_test_id(f"chat-{activity}")

    def open_menu(self, name: str) -> None:
        """Of a chat or a folder."""
        self.chats.get_by_title(name, exact=True).hover()
        self._page.get_by_role("button", name=f"Options for {name}", exact=True).click()

    def choose(self, name: str, action: str) -> None:
        self.open_menu(name)
        self.item(action).click()

    def move(self, title: str, target: str) -> None:
        self.choose(title, "Move to folder")
        self.item(target).click()

    def choose_for_all(self, action: str) -> None:
        """From the list's own menu."""
        self._page.get_by_role("button", name="List options").click()
        self.item(action).click()

    def item(self, name: str) -> Locator:
        return self._page.get_by_role("menuitem", name=name, exact=True)

    def add_folder(self, name: str) -> None:
        self.choose_for_all("New folder")
        self.folder_field.fill(name)
        self.folder_field.press("Enter")

    def choose_theme(self, name: str) -> None:
        self.user.click()
        self._page.get_by_role("menuitemradio", name=name).click()


class Search:
    def __init__(self, page: Page) -> None:
        self._page = page
        self.button = page.get_by_role("button", name="Search chats")
        self.dialog = page.get_by_role("dialog", name="Search chats")
        self.field = self.dialog.get_by_role("combobox")
        self.hits = self.dialog.get_by_role("option")
        self.marks = self.hits.locator("mark")

    def open(self) -> None:
        self._page.keyboard.press("Control+k")
