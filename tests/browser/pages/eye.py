"""What moves under the eye of somebody who reads in a chat, frame by frame."""

from contextlib import suppress

from playwright.sync_api import Page, TimeoutError

WATCH = """
() => {
  const box = document.querySelector("[role=log]").parentElement;
  const look = () => {
    const top = box.getBoundingClientRect().top + 60;
    const messages = [...box.querySelectorAll("article")];
    return messages.find((message) => message.getBoundingClientRect().bottom > top);
  };
  const eye = { box, moved: 0, back: 0, frames: 0 };
  let seen = look();
  let place = seen.getBoundingClientRect().top;
  const step = () => {
    const moved = seen.getBoundingClientRect().top - place;
    eye.moved += moved;
    eye.back = Math.min(eye.back, moved);
    eye.frames += 1;
    seen = look();
    place = seen.getBoundingClientRect().top;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
  window.eye = eye;
}
"""
SWIPE_STEPS = 10
TOUCH_SLOP_PX = 15
"""Of a finger's way, which may pass for a tap."""
ROUNDING_PX = 8.0
"""Of a hundred steps, each to a whole pixel."""


class Eye:
    """Looks at the message at the top of the conversation; a downward move is positive."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.evaluate(WATCH)

    @property
    def moved_px(self) -> float:
        return float(self._page.evaluate("eye.moved"))

    @property
    def from_top_px(self) -> float:
        return float(self._page.evaluate("eye.box.scrollTop"))

    def wait(self, frames: int = 10) -> None:
        """Until whatever the last step sets going has been drawn."""
        script = "(last) => eye.frames >= last"
        self._page.wait_for_function(script, arg=self._page.evaluate("eye.frames") + frames)

    def swipe_down(self, x: float, y: float, way_px: float) -> None:
        """With a finger that is held still before it is lifted, so that nothing glides on."""
        session = self._page.context.new_cdp_session(self._page)
        for step in range(SWIPE_STEPS + 1):
            point = {"x": x, "y": y + way_px * (step / SWIPE_STEPS - 0.5)}
            kind = "touchMove" if step else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            self.wait(frames=1)
        self.wait()
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        session.detach()

    def wait_for_bottom(self) -> None:
        self._page.wait_for_function(
            "() => eye.box.scrollHeight - eye.box.clientHeight - eye.box.scrollTop <= 2"
        )

    def expect_moved(self, px: float, within_px: float = ROUNDING_PX) -> None:
        """By what was scrolled, and never the other way."""
        with suppress(TimeoutError):  # then what was seen says more
            script = "(px) => eye.moved >= px"
            self._page.wait_for_function(script, arg=px - within_px, timeout=5_000)
        self.wait()
        moved, back = self.moved_px, self._page.evaluate("eye.back")
        assert abs(moved - px) <= within_px, f"moved by {moved:.0f} px, scrolled by {px:.0f}"
        assert back >= -ROUNDING_PX, f"jumped back by {-back:.0f} px"
