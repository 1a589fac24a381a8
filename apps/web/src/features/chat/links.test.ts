import { expect, it } from "vitest";
import { hostOf, isLocalImage, safeLink } from "./links";

it.each([
  ["https://example.org", "https://example.org/"],
  ["HTTP://example.org/a?b#c", "http://example.org/a?b#c"],
  ["mailto:ada@example.org", "mailto:ada@example.org"],
  ["#user-content-fn-1", "#user-content-fn-1"],
])("follows %s", (address, expected) => {
  expect(safeLink(address)).toBe(expected);
});

it.each([
  "javascript:alert(1)",
  "JavaScript:alert(1)",
  " javascript:alert(1)",
  "java\nscript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:x",
  "file:///etc/passwd",
  "blob:https://example.org/1",
  "//example.org",
  "/api/auth/logout",
  "",
])("does not follow %j", (address) => {
  expect(safeLink(address)).toBeUndefined();
});

it("names where a link leads, and no other part of it", () => {
  expect(hostOf("https://user@evil.example:8443/bank.example")).toBe("evil.example:8443");
  expect(hostOf("mailto:ada@example.org")).toBe("ada@example.org");
});

it("shows images of this place only", () => {
  expect(isLocalImage("/api/files/0190-ab")).toBe(true);
  expect(isLocalImage("data:image/png;base64,iVBORw0KGgo=")).toBe(true);
  expect(isLocalImage("data:image/svg+xml;base64,AAAA")).toBe(false);
  expect(isLocalImage("https://example.org/api/files/1")).toBe(false);
  expect(isLocalImage("/api/files/../auth/logout")).toBe(false);
});
