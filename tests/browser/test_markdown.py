"""What answers are made of: formulas, diagrams, tables, links, and what must not get through."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage

DIAGRAM = """\
```mermaid
graph TD
  A[Question] --> B[Answer]
```
"""
TABLE = "| a | b |\n|---|---|\n| 1 | 2 |\n"
WIDE_TABLE = "|" + " wide column |" * 20 + "\n|" + "---|" * 20 + "\n|" + " x |" * 20


def test_formulas_are_set(chat: ChatPage) -> None:
    chat.ask("Given \\(a^2\\) and $b_1$, at $5 and $6:\n\n\\[\\frac{1}{2}\\]", "mock/echo")
    expect(chat.last_answer.locator(".katex")).to_have_count(3)
    expect(chat.last_answer.locator(".katex-display")).to_have_count(1)
    expect(chat.last_answer).to_contain_text("at $5 and $6")


def test_a_formula_that_is_wrong_is_shown_as_it_is(chat: ChatPage) -> None:
    chat.ask("$$\\frac{<img src=x onerror=alert(1)>}$$", "mock/echo")
    expect(chat.last_answer).to_contain_text("onerror")
    expect(chat.last_answer.locator("img")).to_have_count(0)


def test_a_diagram_is_drawn_as_an_image(chat: ChatPage) -> None:
    chat.ask(DIAGRAM, "mock/echo")
    image = chat.last_answer.get_by_test_id("diagram").get_by_role("img")
    expect(image).to_be_visible(timeout=20_000)
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 50


def test_a_diagram_that_is_none_is_shown_as_code(chat: ChatPage) -> None:
    chat.ask("```mermaid\nno diagram\n```", "mock/echo")
    expect(chat.last_answer.locator("pre")).to_have_text("no diagram")
    expect(chat.last_answer.get_by_test_id("diagram")).to_be_hidden()


def test_a_table_is_copied_for_a_spreadsheet(open_page: OpenPage) -> None:
    chat = open_page(permissions=["clipboard-read", "clipboard-write"])
    chat.ask(TABLE, "mock/echo")
    chat.last_answer.get_by_role("table").hover()
    chat.last_answer.get_by_role("button", name="Copy table").click()
    expect(chat.last_answer.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "a\tb\n1\t2"


def test_a_wide_table_scrolls_in_its_own_frame(open_page: OpenPage) -> None:
    chat = open_page(viewport={"width": 320, "height": 640})
    chat.ask(WIDE_TABLE, "mock/echo")
    frame = chat.last_answer.get_by_role("region", name="Table")
    expect(frame).to_be_visible()
    assert frame.evaluate("frame => frame.scrollWidth > frame.clientWidth")
    assert chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_link_tells_where_it_leads(chat: ChatPage) -> None:
    chat.ask(
        "[my bank](https://evil.example/bank) [odd](javascript:alert(1)) [in](/api/auth/logout)"
        " <javascript:alert(2)>",
        "mock/echo",
    )
    link = chat.last_answer.get_by_role("link")
    expect(link).to_have_count(1)
    expect(link).to_have_text("my bank evil.example")
    expect(link).to_have_attribute("rel", re.compile("noopener"))


def test_an_image_from_elsewhere_is_not_fetched(chat: ChatPage) -> None:
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.ask("![spy](https://example.org/pixel.png?q=secret)", "mock/echo")
    blocked = chat.last_answer.get_by_test_id("blocked-image")
    expect(blocked).to_contain_text("spy: open the image at example.org")
    expect(blocked).to_have_attribute("rel", re.compile("noreferrer"))
    assert not any("example.org" in url for url in asked)


def test_tags_are_text(chat: ChatPage) -> None:
    chat.ask("<b onclick=alert(1)>bold</b> <img src=x onerror=alert(1)>", "mock/echo")
    expect(chat.last_answer).to_contain_text("<b onclick=alert(1)>bold</b>")
    expect(chat.last_answer.locator("b, img")).to_have_count(0)


def test_finished_blocks_stay_the_same_elements(chat: ChatPage) -> None:
    words = " ".join(f"w{number}" for number in range(40))
    chat.ask(f"# Begun\n\n```python\nx = 1\n```\n\n{words}", "mock/slow")
    expect(chat.last_answer).to_contain_text("w9 ")
    chat.last_answer.get_by_role("heading").evaluate("heading => { heading.kept = true; }")
    expect(chat.last_answer).to_contain_text("w20 ")
    chat.stop_button.click()
    expect(chat.send_button).to_be_visible()
    assert chat.last_answer.get_by_role("heading").first.evaluate("heading => heading.kept")
