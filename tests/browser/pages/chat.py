"""The chat as a person handles it."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.pages.sidebar import Sidebar

CHAT_URL = re.compile(r"/chat/[0-9a-f-]{36}$")


class ChatPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.sidebar = Sidebar(page)
        self.input = page.get_by_test_id("multimodal-input")
        self.send_button = page.get_by_test_id("send-button")
        self.stop_button = page.get_by_test_id("stop-button")
        self.suggestions = page.get_by_test_id("suggested-actions")
        self.questions = page.get_by_test_id("message-user")
        self.answers = page.get_by_test_id("message-assistant")
        self.waiting = page.get_by_test_id("message-assistant-loading")
        self.note = page.get_by_test_id("answer-note")
        self.toast = page.get_by_test_id("toast")
        self.model_selector = page.get_by_test_id("model-selector")
        self.scroll_button = page.get_by_test_id("scroll-to-bottom-button")
        self.log = page.get_by_role("log")
        self.editor = page.get_by_test_id("message-editor")
        self.editor_send = page.get_by_test_id("message-editor-send-button")
        self.upvote = self.answers.last.get_by_test_id("message-upvote")
        self.downvote = self.answers.last.get_by_test_id("message-downvote")
        self.visibility = page.get_by_test_id("visibility-selector")
        self.tools = page.get_by_test_id("message-tool")

    @property
    def last_answer(self) -> Locator:
        return self.answers.last.get_by_test_id("message-content")

    @property
    def html(self) -> Locator:
        return self.page.locator("html")

    def choose_model(self, model_id: str) -> None:
        self.model_selector.click()
        self.page.get_by_test_id(f"model-selector-item-{model_id}").click()

    def ask(self, text: str, model_id: str | None = None) -> None:
        if model_id is not None:
            self.choose_model(model_id)
        self.input.fill(text)
        self.send_button.click()

    def wait_for_answer(self, text: str) -> None:
        expect(self.last_answer).to_have_text(text)
        expect(self.send_button).to_be_visible()

    def wait_for_chat_url(self) -> str:
        self.page.wait_for_url(CHAT_URL)
        return self.page.url

    def edit(self, question: Locator, text: str) -> None:
        question.hover()
        question.get_by_test_id("message-edit-button").click()
        self.editor.fill(text)
        self.editor_send.click()

    def choose_visibility(self, visibility: str) -> None:
        self.visibility.click()
        self.page.get_by_test_id(f"visibility-selector-item-{visibility}").click()

    def choose(self, action: str) -> None:
        """From the chat's own menu."""
        self.page.get_by_test_id("chat-menu").click()
        self.page.get_by_role("menuitem", name=action).click()

    def come_back(self) -> None:
        """To this tab, from another one or another program."""
        self.page.bring_to_front()
        self.page.evaluate("window.dispatchEvent(new Event('focus'))")
