"""RayLM's own pages as an admin handles them."""

from playwright.sync_api import Locator, Page


class RunsPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.refusal = page.get_by_text("Runs are for administrators.")
        self.status = page.get_by_test_id("run-status")
        self.events = page.get_by_test_id("run-events")
        self.samples = page.get_by_test_id("run-samples")

    def row(self, run: str) -> Locator:
        return self.page.get_by_test_id(f"run-{run}")

    def open_run(self, run: str) -> None:
        self.page.get_by_role("link", name=run, exact=True).click()
        self.page.get_by_role("heading", name=run, exact=True).wait_for()

    def chart(self, panel: str) -> Locator:
        return self.page.get_by_test_id(f"chart-{panel}").locator("canvas")

    def table_of(self, title: str) -> Locator:
        """Opened, where it was closed."""
        section = self.page.get_by_role("region", name=title, exact=True)
        section.get_by_text("As a table").click()
        return section.get_by_role("table")

    def colours(self, panel: str) -> int:
        """How many different colours a chart is drawn with."""
        count: int = self.chart(panel).evaluate(
            """canvas => {
              const { width, height } = canvas;
              const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
              return new Set(new Uint32Array(data.buffer)).size;
            }"""
        )
        return count


class ModelsPage:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.engine = page.get_by_role("heading", name="Local engine")

    def card(self, model: str) -> Locator:
        return self.page.get_by_test_id(f"model-card-{model}")

    def local(self, model: str) -> Locator:
        return self.page.get_by_test_id(f"local-model-{model}")

    def provider(self, name: str) -> Locator:
        return self.page.get_by_test_id(f"provider-{name}")
