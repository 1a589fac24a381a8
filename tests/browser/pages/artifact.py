"""The document beside the chat, as a person handles it."""

from playwright.sync_api import Locator, expect

from tests.browser.pages.chat import ChatPage

MODEL = "mock/documents"


class Artifact:
    def __init__(self, chat: ChatPage) -> None:
        page = chat.page
        self.chat = chat
        self.panel = page.get_by_test_id("artifact")
        self.close_button = page.get_by_test_id("artifact-close-button")
        self.card = page.get_by_test_id("document-card")
        self.status = page.get_by_test_id("artifact-status")
        self.text = page.get_by_test_id("artifact-text")
        self.code = page.get_by_test_id("artifact-code")
        self.sheet = page.get_by_test_id("artifact-sheet")
        self.version = page.get_by_test_id("artifact-version")
        self.diff = page.get_by_test_id("artifact-diff")
        self.suggestions = page.get_by_test_id("artifact-suggestions")
        self.console = page.get_by_test_id("python-console")
        self.python_status = page.get_by_test_id("python-status")

    def ask_for(self, what: str) -> None:
        """The document is written, stored, and open."""
        self.chat.ask(what, MODEL)
        self.wait_until_written()

    def wait_until_written(self) -> None:
        expect(self.chat.last_answer).to_contain_text(
            "The document is beside our chat.", timeout=20_000
        )
        expect(self.panel).to_be_visible()
        expect(self.status).to_have_text("Saved")

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True)

    def cell(self, row: int, column: int) -> Locator:
        """Counted from 1, without the numbers at the side."""
        rows = self.sheet.locator(f"[role=row][aria-rowindex='{row + 1}']")
        return rows.locator(f"[role=gridcell][aria-colindex='{column + 1}']")

    def follow_up(self, text: str) -> None:
        self.chat.input.fill(text)
        self.chat.send_button.click()
