// Runs before the first paint, so that a dark page never flashes white. A file of its own because
// the content security policy allows no inline scripts.
(() => {
  const stored = localStorage.getItem("raylm:theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const dark = stored === '"dark"' || (stored !== '"light"' && prefersDark);
  document.documentElement.classList.toggle("dark", dark);
  document.querySelector('meta[name="theme-color"]').content = dark ? "#171512" : "#fdfcfa";
})();
