import { expect, it } from "vitest";
import { GatewayError, UnreachableError, errorMessage, gatewayError } from "./errors";

it("shows the gateway's own words", () => {
  const error = gatewayError(429, '{"code":"rate_limit:chat","message":"Slow down.","cause":null}');
  expect(error).toMatchObject({ status: 429, type: "rate_limit", message: "Slow down." });
});

it("finds words for a type that came without any", () => {
  const error = gatewayError(404, '{"code":"not_found:chat","message":"","cause":null}');
  expect(error.message).toBe("This chat does not exist.");
});

it("tells a proxy's error page from an answer of the gateway", () => {
  expect(gatewayError(502, "<html>Bad gateway</html>")).toBeInstanceOf(UnreachableError);
  expect(gatewayError(500, "oops")).toMatchObject({ code: "unknown:api", status: 500 });
});

it("never shows the words of a defect", () => {
  expect(errorMessage(new TypeError("x is undefined"))).not.toContain("undefined");
  expect(errorMessage(new GatewayError("forbidden:chat", "Not yours."))).toBe("Not yours.");
});
