"""The box where people write, and what hangs on it."""

from playwright.sync_api import FilePayload, Page

from raylm_apps.gateway.providers.mock import DOT

PICTURE: FilePayload = {"name": "dot.png", "mimeType": "image/png", "buffer": DOT}
NOTES: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Light bends."}

DROP = """
([name, type, text, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type }));
  const target = document.querySelector('[data-testid="multimodal-input"]');
  const init = { bubbles: true, cancelable: true };
  if (kind === "paste") {
    target.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: data }));
    return;
  }
  for (const step of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(step, { ...init, dataTransfer: data }));
  }
}
"""


class Composer:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.input = page.get_by_test_id("multimodal-input")
        self.attach = page.get_by_test_id("attachments-button")
        self.attachments = page.get_by_test_id("attachments-preview")
        self.previews = page.get_by_test_id("input-attachment-preview")
        self.loader = page.get_by_test_id("input-attachment-loader")
        self.commands = page.get_by_test_id("slash-commands")

    def choose_files(self, *files: FilePayload) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.attach.click()
        chooser.value.set_files(list(files))

    def drop(self, name: str, media_type: str, text: str) -> None:
        self.page.evaluate(DROP, [name, media_type, text, "drop"])

    def paste(self, name: str, media_type: str, text: str) -> None:
        self.page.evaluate(DROP, [name, media_type, text, "paste"])

    def active_command(self) -> str:
        active = self.input.get_attribute("aria-activedescendant")
        return self.page.locator(f"[id='{active}']").inner_text().split()[0]
