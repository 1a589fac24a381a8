"""Runs in the browser: they grow while one looks on."""

from pathlib import Path

import orjson
import pytest
from playwright.sync_api import expect

from tests.apps.gateway.harness import User
from tests.apps.gateway.runs.run_folder import WrittenRun
from tests.browser.operated import OpenAs
from tests.browser.pages.chat import ChatPage
from tests.browser.pages.runs import RunsPage

PHONE = {"width": 360, "height": 740}


def test_the_list_follows_what_runs_do(open_as: OpenAs, operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "growing").start().steps(1, 3)
    (runs / "torn").mkdir()
    (runs / "torn" / "metrics.jsonl").write_text('{"step": 1')
    page = RunsPage(open_as("/runs", operator))
    row = page.row("growing")
    expect(row).to_contain_text("3 of 40")
    expect(row).to_contain_text("running")
    expect(page.row("torn")).to_contain_text("no config.yaml")
    run.steps(4, 9).finish()
    expect(row).to_contain_text("9 of 40")
    expect(row).to_contain_text("finished")


def test_a_run_grows_while_its_page_is_open(open_as: OpenAs, operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "live").start().steps(1, 4)
    page = RunsPage(open_as("/runs", operator))
    page.open_run("live")
    expect(page.status).to_have_text("running")
    expect(page.page.get_by_text("live", exact=True).last).to_be_visible()
    expect(page.chart("loss")).to_be_visible()
    table = page.table_of("Loss")
    expect(table.get_by_role("row")).to_have_count(5)
    run.steps(5, 8)
    expect(table.get_by_role("row")).to_have_count(9)
    expect(page.page.get_by_text("8 of 40")).to_be_visible()
    run.directory.event("worker_lost", rank=1, pid=77, reason="killed")
    expect(page.events.get_by_text("worker lost")).to_be_visible()
    run.steps(9, 9)
    run.directory.rewind(2)  # it goes back to a checkpoint
    run.steps(3, 5)
    expect(table.get_by_role("row")).to_have_count(6)
    run.finish()
    expect(page.status).to_have_text("finished")


def test_every_curve_is_drawn_in_both_themes(open_as: OpenAs, operator: User, runs: Path) -> None:
    run = WrittenRun(runs, "drawn").start().steps(1, 30)
    run.directory.event("worker_joined", pid=7)
    run.steps(31, 40).finish()
    for scheme in ("light", "dark"):
        page = RunsPage(open_as("/runs/drawn", operator, color_scheme=scheme))
        for panel in ("loss", "rate", "norm", "throughput", "memory", "workers"):
            expect(page.chart(panel)).to_be_visible()
            assert page.colours(panel) > 8, (scheme, panel)
        page.page.get_by_label("Smoothing").fill("0")
        page.page.get_by_label("Logarithmic loss").check()
        page.page.wait_for_timeout(100)
        assert page.colours("loss") > 8


def test_an_alignment_shows_rewards_and_samples(
    open_as: OpenAs, operator: User, runs: Path
) -> None:
    run = WrittenRun(runs, "aligned").start()
    (run.folder / "config.yaml").write_text("name: aligned\nsteps: 9\nalign: {algorithm: grpo}\n")
    for step in range(1, 5):
        run.row(step=step, t=float(step), loss=0.5, reward=step / 10, kl=0.01 * step)
    sample = {"step": 4, "prompt": "What is 2+2?", "answer": "4", "reward": 1.0}
    (run.folder / "samples.jsonl").write_bytes(orjson.dumps(sample) + b"\n")
    page = RunsPage(open_as("/runs/aligned", operator))
    expect(page.page.get_by_text("Alignment (grpo)")).to_be_visible()
    expect(page.chart("reward")).to_be_visible()
    expect(page.chart("kl")).to_be_visible()
    expect(page.samples).to_contain_text("What is 2+2?")


def test_one_chats_with_a_checkpoint(open_as: OpenAs, operator: User, runs: Path) -> None:
    WrittenRun(runs, "talks").start().steps(1, 2).save(2)
    page = RunsPage(open_as("/runs/talks", operator))
    page.page.get_by_role("button", name="Chat with the checkpoint of step 2").click()
    chat = ChatPage(page.page)
    expect(chat.model_selector).to_contain_text("step-00000002")
    chat.ask("Where is Paris?")
    chat.wait_for_answer("The capital of France is Paris.")


@pytest.mark.parametrize("path", ["/runs", "/runs/closed"])
def test_others_are_told_that_runs_are_for_admins(open_as: OpenAs, runs: Path, path: str) -> None:
    WrittenRun(runs, "closed").start()
    page = RunsPage(open_as(path))
    expect(page.refusal).to_be_visible()
    page.page.get_by_test_id("user-nav-button").click()
    expect(page.page.get_by_test_id("user-nav-item-models")).to_be_visible()
    expect(page.page.get_by_test_id("user-nav-item-runs")).to_be_hidden()


def test_a_phone_shows_cards_and_does_not_scroll_sideways(
    open_as: OpenAs, operator: User, runs: Path
) -> None:
    WrittenRun(runs, "a-run-with-a-rather-long-name-20261128-101500").start().steps(1, 20)
    page = RunsPage(open_as("/runs", operator, viewport=PHONE, has_touch=True))
    page.open_run("a-run-with-a-rather-long-name-20261128-101500")
    expect(page.chart("loss")).to_be_visible()
    width = page.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    inner = page.page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).overflowX === 'visible' && e.clientWidth > 0"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"
    )
    assert inner == []


def test_the_menu_leads_to_both_pages(open_as: OpenAs, operator: User, runs: Path) -> None:
    page = open_as("/", operator)
    page.get_by_test_id("user-nav-button").click()
    page.get_by_test_id("user-nav-item-runs").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    expect(page.get_by_text("No runs yet")).to_be_visible()
    page.get_by_test_id("user-nav-button").click()
    page.get_by_test_id("user-nav-item-models").click()
    expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
