"""The page of models: what one may ask, and for admins what is loaded."""

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.apps.gateway.harness import User
from tests.browser.operated import OpenAs
from tests.browser.pages.chat import ChatPage
from tests.browser.pages.runs import ModelsPage


def test_everybody_sees_what_models_can_do_and_chats_with_one(open_as: OpenAs) -> None:
    models = ModelsPage(open_as("/models"))
    tools = models.card("mock/tools")
    expect(tools).to_contain_text("tools")
    expect(tools).to_contain_text("images")
    expect(tools).to_contain_text("8,192 tokens")
    expect(models.card("raylm/fake")).to_contain_text("on your own hardware")
    expect(models.engine).to_be_hidden()
    models.card("mock/echo").get_by_role("button", name="Chat with").click()
    chat = ChatPage(models.page)
    expect(chat.model_selector).to_contain_text("echo")
    chat.ask("Is anybody there?")
    chat.wait_for_answer("Is anybody there?")


def test_an_admin_loads_a_model_and_lets_it_go(open_as: OpenAs, operator: User, runs: Path) -> None:
    models = ModelsPage(open_as("/models", operator))
    smol = models.local("raylm/smollm2")
    expect(smol).to_contain_text("not loaded")
    smol.get_by_role("button", name="Load raylm/smollm2").click()
    expect(smol.get_by_role("button", name="Unload raylm/smollm2")).to_be_visible()
    expect(smol).to_contain_text("0 running, 0 waiting")
    expect(models.card("raylm/smollm2")).to_be_visible()
    smol.get_by_role("button", name="Unload raylm/smollm2").click()
    expect(smol).to_contain_text("not loaded")
    expect(models.card("raylm/smollm2")).to_be_hidden()


def test_an_admin_sees_how_fast_a_model_answers(
    open_as: OpenAs, operator: User, runs: Path
) -> None:
    models = ModelsPage(open_as("/models", operator))
    fake = models.local("raylm/fake")
    expect(fake).to_contain_text("tokens/s", timeout=10_000)
    expect(fake).to_contain_text("0% of the cache used")
    expect(models.provider("mock")).to_contain_text(re.compile(r"reachable, \d+ models"))
    expect(models.provider("raylm")).to_contain_text("reachable")
