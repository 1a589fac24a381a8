"""Folders of chats: made, renamed, filled, emptied."""

import re

import pytest
from playwright.sync_api import APIResponse, Locator, Route, expect

from tests.browser.many_chats import ask
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def filed(chat: ChatPage) -> ChatPage:
    """The page with chats `One` and `Two`, and the folders `Home` and `Work`."""
    expect(chat.input).to_be_visible()
    for title in ("One", "Two"):
        ask(chat.page, title)
    for name in ("Work", "Home"):
        assert chat.page.request.post("/api/folders", data={"name": name}).ok
    chat.page.reload()
    expect(chat.sidebar.folder("Work")).to_be_visible()
    expect(chat.sidebar.chat("One")).to_be_visible()
    return chat


def expect_rows(chat: ChatPage, *titles: str) -> None:
    """Headings, folders and chats; a chat that is unread has a dot after its title."""
    starts = [re.compile(f"^{title}") for title in titles]
    expect(chat.sidebar.rows).to_have_text(starts, use_inner_text=True)


def test_a_folder_is_made_renamed_and_remembered(chat: ChatPage) -> None:
    sidebar = chat.sidebar
    sidebar.add_folder("Wirk")
    expect(sidebar.folder("Wirk")).to_have_attribute("aria-expanded", "true")
    expect(sidebar.chats).to_contain_text("No chats in here yet.")
    sidebar.choose("Wirk", "Rename")
    sidebar.folder_field.fill("Work")
    sidebar.folder_field.press("Enter")
    sidebar.folder("Work").click()
    expect(sidebar.folder("Work")).to_have_attribute("aria-expanded", "false")
    chat.page.reload()
    expect(sidebar.folder("Work")).to_have_attribute("aria-expanded", "false")
    sidebar.folder("Work").click()
    chat.page.reload()
    expect(sidebar.folder("Work")).to_have_attribute("aria-expanded", "true")


def test_a_folder_that_is_not_named_is_not_made(chat: ChatPage) -> None:
    chat.sidebar.choose_for_all("New folder")
    expect(chat.sidebar.folder_field).to_be_focused()
    chat.sidebar.folder_field.press("Escape")
    expect(chat.sidebar.folder_field).to_have_count(0)
    expect(chat.sidebar.chats.get_by_role("heading", name="Folders")).to_have_count(0)


def test_chats_move_by_menu(filed: ChatPage) -> None:
    sidebar = filed.sidebar
    sidebar.move("One", "Work")
    expect(sidebar.chat("One")).to_have_count(0)
    sidebar.folder("Work").click()
    expect(sidebar.chat("One")).to_be_visible()
    filed.page.reload()
    expect(sidebar.chat("One")).to_be_visible()
    expect_rows(filed, "Folders", "Home", "Work", "One", "Today", "Two")
    sidebar.move("One", "No folder")
    expect(sidebar.chats).to_contain_text("No chats in here yet.")
    expect_rows(filed, "Folders", "Home", "Work", "No chats", "Today", "Two", "One")


def test_a_folder_opened_while_a_chat_moves_there_has_it(filed: ChatPage) -> None:
    sidebar, moves = filed.sidebar, list[Route]()
    filed.page.route(re.compile("/api/chat/"), lambda route: moves.append(route))
    sidebar.move("One", "Work")
    expect(sidebar.chat("One")).to_have_count(0)
    sidebar.folder("Work").click()
    expect(sidebar.chats).to_contain_text("No chats in here yet.")
    moves[0].continue_()
    expect(sidebar.chat("One")).to_be_visible()


def test_a_folder_that_was_read_before_a_chat_moved_there_is_read_again(filed: ChatPage) -> None:
    sidebar, moves, reads = filed.sidebar, list[Route](), list[tuple[Route, APIResponse]]()
    filed.page.route(re.compile("/api/chat/"), lambda route: moves.append(route))
    of_a_folder = re.compile(r"/api/history\?.*folder=(?!none)")
    filed.page.route(of_a_folder, lambda route: reads.append((route, route.fetch())), times=1)
    sidebar.move("One", "Work")
    expect(sidebar.chat("One")).to_have_count(0)
    sidebar.folder("Work").click()
    while not reads:
        filed.page.wait_for_timeout(20)
    with filed.page.expect_response(lambda response: response.request.method == "PATCH"):
        moves[0].continue_()
    read, without_it = reads[0]
    read.fulfill(response=without_it)
    expect(sidebar.chat("One")).to_be_visible()


def test_a_chat_moves_into_a_new_folder(filed: ChatPage) -> None:
    filed.sidebar.move("Two", "New folder")
    filed.sidebar.folder_field.fill("Garden")
    filed.sidebar.folder_field.press("Enter")
    expect(filed.sidebar.folder("Garden")).to_have_attribute("aria-expanded", "true")
    expect(filed.sidebar.chat("Two")).to_be_visible()
    filed.page.reload()
    expect(filed.sidebar.chat("Two")).to_be_visible()
    expect_rows(filed, "Folders", "Garden", "Two", "Home", "Work", "Today", "One")


def test_several_chats_move_at_once(filed: ChatPage) -> None:
    sidebar = filed.sidebar
    sidebar.choose_for_all("Select chats")
    sidebar.box("One").click()
    sidebar.box("Two").click()
    sidebar.selection.get_by_role("button", name="Move to folder").click()
    sidebar.item("Home").click()
    expect(sidebar.box("One")).to_have_count(0)
    sidebar.folder("Home").click()
    expect(sidebar.box("One")).to_be_visible()
    filed.page.reload()
    expect(sidebar.chat("One")).to_be_visible()
    expect_rows(filed, "Folders", "Home", "Two", "One", "Work", "Your chats")


def test_a_deleted_folder_leaves_its_chats(filed: ChatPage) -> None:
    sidebar = filed.sidebar
    sidebar.move("One", "Work")
    sidebar.choose("Work", "Delete folder")
    dialog = filed.page.get_by_role("alertdialog", name="Delete the folder “Work”?")
    dialog.get_by_role("button", name="Delete folder").click()
    expect(sidebar.folder("Work")).to_have_count(0)
    expect(sidebar.chat("One")).to_be_visible()
    filed.page.reload()
    expect(sidebar.chat("One")).to_be_visible()
    expect_rows(filed, "Folders", "Home", "Today", "Two", "One")


def test_a_chat_is_dragged_into_a_folder(filed: ChatPage) -> None:
    mouse, targets = filed.page.mouse, filed.page.get_by_role("group", name="Move to")
    address = filed.page.url
    mouse.move(*middle(filed.sidebar.chat("One")))
    mouse.down()
    mouse.move(*middle(filed.sidebar.chat("Two")), steps=4)
    expect(targets).to_be_visible()
    mouse.move(*middle(targets.get_by_text("Work")), steps=8)
    mouse.up()
    expect(targets).to_have_count(0)
    expect(filed.sidebar.chat("One")).to_have_count(0)
    filed.sidebar.folder("Work").click()
    expect(filed.sidebar.chat("One")).to_be_visible()
    assert filed.page.url == address


def test_a_chat_is_dragged_by_keyboard(filed: ChatPage) -> None:
    keyboard = filed.page.keyboard
    told = filed.page.get_by_role("status")
    filed.sidebar.chat("One").focus()
    keyboard.press("Space")
    expect(told.filter(has_text="Over")).to_be_attached()
    for _ in range(4):
        keyboard.press("ArrowUp")
        filed.page.wait_for_timeout(100)
    expect(told.filter(has_text="Over Home.")).to_be_attached()
    keyboard.press("ArrowDown")
    expect(told.filter(has_text="Over Work.")).to_be_attached()
    keyboard.press("Space")
    expect(told.filter(has_text="“One” moved to Work.")).to_be_attached()
    expect(filed.sidebar.chat("One")).to_have_count(0)
    filed.sidebar.folder("Work").click()
    expect(filed.sidebar.chat("One")).to_be_visible()


def test_escape_ends_a_drag(filed: ChatPage) -> None:
    filed.sidebar.chat("One").focus()
    filed.page.keyboard.press("Space")
    targets = filed.page.get_by_role("group", name="Move to")
    expect(targets).to_be_visible()
    filed.page.keyboard.press("Escape")
    expect(targets).to_have_count(0)
    expect(filed.sidebar.chat("One")).to_be_focused()


def test_what_the_gateway_refuses_is_taken_back(filed: ChatPage) -> None:
    sidebar = filed.sidebar

    def refuse(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
        else:
            body = {"code": "offline:api", "message": "Come back later."}
            route.fulfill(status=503, json=body)

    filed.page.route(re.compile("/api/(folders|chat)"), refuse)
    toast = filed.toast.filter(has_text="Come back later.")
    sidebar.add_folder("Refused")
    expect(toast).to_be_visible()
    expect(sidebar.folder("Refused")).to_have_count(0)
    sidebar.move("One", "Work")
    expect(sidebar.chat("One")).to_be_visible()
    sidebar.choose("Work", "Rename")
    sidebar.folder_field.fill("Play")
    sidebar.folder_field.press("Enter")
    expect(sidebar.folder("Work")).to_be_visible()
    sidebar.choose("Work", "Delete folder")
    filed.page.get_by_role("alertdialog").get_by_role("button", name="Delete folder").click()
    expect(filed.page.get_by_role("alertdialog")).to_have_count(0)
    expect(sidebar.folder("Work")).to_be_visible()
    filed.page.wait_for_timeout(300)
    expect_rows(filed, "Folders", "Home", "Work", "Today", "Two", "One")


def test_folders_by_keyboard_alone(filed: ChatPage) -> None:
    sidebar, keyboard = filed.sidebar, filed.page.keyboard
    sidebar.move("One", "Work")
    sidebar.folder("Work").focus()
    keyboard.press("ArrowRight")
    expect(sidebar.folder("Work")).to_have_attribute("aria-expanded", "true")
    expect(sidebar.chat("One")).to_be_visible()
    keyboard.press("ArrowDown")
    expect(sidebar.chat("One")).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(sidebar.folder("Work")).to_be_focused()
    keyboard.press("F2")
    keyboard.type("Office")
    keyboard.press("Enter")
    expect(sidebar.folder("Office")).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(sidebar.folder("Office")).to_have_attribute("aria-expanded", "false")
    keyboard.press("Delete")
    expect(
        filed.page.get_by_role("alertdialog", name="Delete the folder “Office”?")
    ).to_be_visible()


def middle(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
