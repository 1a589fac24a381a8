/** What tells one model from another, in words. */
import type { Model } from "@/lib/api/models";
import { i18n } from "@/lib/i18n";

const PROVIDER_NAMES: Record<string, string> = {
  openai: "OpenAI",
  anthropic: "Anthropic",
  google: "Google",
};

export function providerName(provider: string): string {
  return PROVIDER_NAMES[provider] ?? provider.charAt(0).toUpperCase() + provider.slice(1);
}

/** `8K`, `1M`: a context's length in tokens. */
export function shortCount(tokens: number): string {
  const units: [size: number, sign: string][] = [
    [1_000_000, "M"],
    [1_000, "K"],
  ];
  for (const [size, sign] of units) {
    if (tokens >= size) return `${withinOneDecimal(tokens / size)}${sign}`;
  }
  return String(tokens);
}

/** Input and output in dollars for a million tokens: `$1.25 / $10`. */
export function priceRange({ input, output }: NonNullable<Model["prices"]>): string {
  return `${dollars(input)} / ${dollars(output)}`;
}

function withinOneDecimal(value: number): string {
  return Number(value.toFixed(value < 10 ? 1 : 0)).toLocaleString(i18n.language);
}

function dollars(amount: number): string {
  return amount.toLocaleString(i18n.language, {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: Number.isInteger(amount) ? 0 : 2,
    maximumFractionDigits: 4,
  });
}
