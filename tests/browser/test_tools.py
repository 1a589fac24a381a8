"""Calls of tools as people see them: what runs, what came of it, what waits for them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.fake_weather import weather_server
from tests.apps.gateway.harness import GatewayProcess, environment, eventually
from tests.apps.gateway.mcp_servers import mcp_config
from tests.browser.pages.chat import ChatPage
from tests.browser.visitors import Visitors

TOOLS = "mock/tools"
WEATHER = "The current temperature in San Francisco is 17°C."


@pytest.fixture(scope="module")
def tooled(stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("tools")
    with weather_server() as weather:
        settings = environment(
            stores,
            folder,
            RAYLM_WEATHER_URL=f"{weather}/forecast",
            RAYLM_GEOCODING_URL=f"{weather}/search",
            RAYLM_MCP_CONFIG=str(mcp_config(folder)),
        )
        with GatewayProcess(folder / "log", settings) as process:
            user = process.user()
            eventually(lambda: user.has_tool("demo_big"), within_s=60)
            yield process


@pytest.fixture
def chat(tooled: GatewayProcess, visitors: Visitors) -> ChatPage:
    return ChatPage(visitors.open(tooled.base_url))


def test_the_weather(chat: ChatPage) -> None:
    chat.ask("What is the weather in San Francisco?", TOOLS)
    for _ in range(2):
        expect(chat.last_answer).to_contain_text(WEATHER)
        expect(chat.page.get_by_test_id("weather")).to_contain_text("San Francisco")
        expect(chat.page.get_by_test_id("weather")).to_contain_text("17")
        expect(chat.tools).to_have_attribute("data-state", "done")
        chat.wait_for_chat_url()
        chat.page.reload()


def test_a_call_unfolds(chat: ChatPage) -> None:
    chat.ask('demo_big({"characters": 3})', TOOLS)
    expect(chat.tools).to_have_attribute("data-state", "done")
    expect(chat.tools).to_contain_text("demo_big")
    expect(chat.tools.get_by_label("Input")).to_be_hidden()
    chat.tools.get_by_role("button").click()
    expect(chat.tools.get_by_label("Input")).to_contain_text('"characters": 3')
    expect(chat.tools.get_by_label("Output")).to_be_visible()


def test_a_call_that_runs_and_one_that_fails(chat: ChatPage) -> None:
    chat.ask('demo_wait({"seconds": 2}) demo_fail({})', TOOLS)
    expect(chat.tools.first).to_have_attribute("data-state", "running")
    expect(chat.tools.last).to_have_attribute("data-state", "failed")
    chat.tools.last.get_by_role("button").click()
    expect(chat.tools.last).to_contain_text("the disk is full")
    expect(chat.tools.first).to_have_attribute("data-state", "done")


@pytest.mark.parametrize(("choice", "state"), [("Allow", "done"), ("Deny", "denied")])
def test_a_call_waits_for_a_person(chat: ChatPage, choice: str, state: str) -> None:
    chat.ask('demo_note({"text": "milk"})', TOOLS)
    approval = chat.page.get_by_test_id("tool-approval")
    expect(approval).to_contain_text('"text": "milk"')
    expect(chat.page.get_by_role("status").filter(has_text="permission")).to_be_attached()
    chat.wait_for_chat_url()
    chat.page.reload()  # it can wait for long
    approval.get_by_role("button", name=choice).click()
    expect(chat.tools).to_have_attribute("data-state", state)
    expect(chat.send_button).to_be_visible()
    expect(chat.last_answer).to_contain_text("noted milk" if choice == "Allow" else "The tool said")
    expect(chat.answers).to_have_count(1)
    chat.page.reload()
    expect(chat.tools).to_have_attribute("data-state", state)
    expect(approval).to_be_hidden()


def test_a_decision_cut_short_is_followed_to_its_end(chat: ChatPage) -> None:
    """What comes after a decision cannot be counted from the answer's beginning."""
    chat.ask('demo_note({"text": "eggs"})', TOOLS)
    chat.wait_for_chat_url()
    cut: list[str] = []

    def cut_short(route: Route) -> None:
        events = route.fetch().text().split("\n\n")
        cut.append(route.request.url)
        route.fulfill(body="\n\n".join(events[:2]) + "\n\n", content_type="text/event-stream")

    chat.page.route("**/api/chat", cut_short)
    chat.page.get_by_test_id("tool-approval").get_by_role("button", name="Allow").click()
    expect(chat.last_answer).to_contain_text("noted eggs")
    expect(chat.answers).to_have_count(1)
    expect(chat.send_button).to_be_visible()
    assert len(cut) == 1
