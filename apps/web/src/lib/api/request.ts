/** One way to call the gateway: same origin, JSON in and out, errors as GatewayError. */
import {
  GatewayError,
  OfflineError,
  UnreachableError,
  gatewayError,
  isNetworkFailure,
} from "@/lib/errors";
import type { z } from "zod";

/** `fetch` that throws a GatewayError for everything that is not a success. */
export const gatewayFetch: typeof fetch = async (input, init) => {
  let response: Response;
  try {
    response = await fetch(input, init);
  } catch (error) {
    if (!isNetworkFailure(error)) throw error;
    throw navigator.onLine ? new UnreachableError() : new OfflineError();
  }
  if (!response.ok) throw gatewayError(response.status, await response.text());
  return response;
};

export async function getJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  signal?: AbortSignal,
): Promise<z.infer<Schema>> {
  const response = await gatewayFetch(path, { signal: signal ?? null });
  const parsed = schema.safeParse(await response.json());
  if (!parsed.success) {
    throw new GatewayError(
      "bad_response:api",
      "The server and this page disagree. Reload the page.",
    );
  }
  return parsed.data;
}

export async function send(
  method: "POST" | "PATCH" | "DELETE",
  path: string,
  body?: object,
): Promise<void> {
  await gatewayFetch(path, {
    method,
    headers: { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
}
