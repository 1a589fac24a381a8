import { expect, it } from "vitest";
import { priceRange, providerName, shortCount } from "./facts";

it.each([
  [512, "512"],
  [8_192, "8.2K"],
  [128_000, "128K"],
  [1_048_576, "1M"],
  [2_500_000, "2.5M"],
])("says %i tokens as %s", (tokens, words) => expect(shortCount(tokens)).toBe(words));

it("says prices without needless digits", () => {
  expect(priceRange({ input: 1.25, output: 10 })).toBe("$1.25 / $10");
  expect(priceRange({ input: 0.0375, output: 0.3 })).toBe("$0.0375 / $0.30");
});

it("knows how providers write themselves", () => {
  expect(providerName("openai")).toBe("OpenAI");
  expect(providerName("together")).toBe("Together");
});
