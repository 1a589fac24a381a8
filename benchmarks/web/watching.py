"""What the page is asked to note about itself while it is measured."""

LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) longTasks.push({ startTime, duration });
}).observe({ type: "longtask", buffered: true });
"""
"""`longTasks`: those over 50 ms, in ms."""

INTERACTIVE = """
const look = () => {
  const input = document.querySelector("[data-testid=multimodal-input]");
  input?.focus();
  if (!input || document.activeElement !== input) return requestAnimationFrame(look);
  const { length } = input.value; // a draft of the visit before
  document.execCommand("insertText", false, "a");
  requestAnimationFrame(() => {
    if (input.value.length > length) window.interactiveMs = performance.now();
    else look();
  });
};
requestAnimationFrame(look);
"""
"""`interactiveMs`: when the first key was shown, a frame after it was pressed."""

OPENED = """
(path) => new Promise((resolve) => {
  const start = performance.now();
  const observer = new MutationObserver(() => {
    if (!document.querySelector("article:last-of-type .prose li")) return;
    observer.disconnect();
    // A task after the frame: then it is painted.
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  });
  observer.observe(document.body, { childList: true, subtree: true });
  document.querySelector(`a[href="${path}"]`).click();
})
"""
"""Takes the chat's path; returns the ms from the click on it to its last message on screen."""

ANSWERED = """
(end) => new Promise((resolve) => {
  const start = performance.now();
  const { form } = document.querySelector("[data-testid=multimodal-input]");
  const articles = document.getElementsByTagName("article");
  const whole = articles.length + 2;
  const look = () => {
    const isIdle = form.querySelector("[data-testid=send-button]");
    const isWhole = articles.length === whole && articles[whole - 1].textContent.includes(end);
    if (isIdle && isWhole) resolve(performance.now() - start);
    else setTimeout(look, 100);
  };
  form.querySelector("[data-testid=send-button]").click();
  look();
})
"""
"""Sends what is in the box; takes what the answer ends with, returns the ms until it has ended.

The page watches itself: to be asked from outside costs it 25 ms a question.
"""
