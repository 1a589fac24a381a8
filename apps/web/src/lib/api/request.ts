/** One way to call the gateway: same origin, JSON in and out, errors as GatewayError. */
import { GatewayError, OfflineError, UnreachableError, gatewayError } from "@/lib/errors";
import { t } from "@/lib/i18n";
import * as z from "zod/v4/core";

/** `fetch` that throws a GatewayError for everything that is not a success. */
export const gatewayFetch: typeof fetch = async (input, init) => {
  let response: Response;
  try {
    response = await fetch(input, init);
  } catch (error) {
    // Browsers report a connection that fails as a bare TypeError.
    if (!(error instanceof TypeError)) throw error;
    throw navigator.onLine ? new UnreachableError() : new OfflineError();
  }
  if (!response.ok) throw gatewayError(response.status, await response.text());
  return response;
};

export async function getJson<Schema extends z.$ZodType>(
  path: string,
  schema: Schema,
  signal?: AbortSignal,
): Promise<z.infer<Schema>> {
  return parseBody(await gatewayFetch(path, { signal: signal ?? null }), schema);
}

export async function postJson<Schema extends z.$ZodType>(
  path: string,
  schema: Schema,
  body?: object,
  keepalive = false,
): Promise<z.infer<Schema>> {
  const init = { method: "POST", keepalive, ...jsonBody(body) };
  return parseBody(await gatewayFetch(path, init), schema);
}

/** A write whose answer nobody reads; with `keepalive` it outlives the page. */
export async function send(
  method: "POST" | "PATCH" | "DELETE",
  path: string,
  body?: object,
  keepalive = false,
): Promise<void> {
  await gatewayFetch(path, { method, keepalive, ...jsonBody(body) });
}

function jsonBody(body: object | undefined): RequestInit {
  if (!body) return {};
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function parseBody<Schema extends z.$ZodType>(
  response: Response,
  schema: Schema,
): Promise<z.infer<Schema>> {
  const parsed = z.safeParse(schema, await response.json());
  if (parsed.success) return parsed.data;
  throw new GatewayError("bad_response:api", t("errors:disagreement"));
}
