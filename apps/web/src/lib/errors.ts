/**
 * What can go wrong between the page and the gateway, and the words people read.
 *
 *     Error
 *     └── GatewayError        code "type:surface", as the gateway sends it
 *         ├── OfflineError    the browser has no network
 *         └── UnreachableError  the gateway does not answer
 */
import { parseJson } from "@/lib/json";
import { z } from "zod";

const errorBodySchema = z.object({
  code: z.string(),
  message: z.string().optional(),
  cause: z.unknown().optional(),
});

export class GatewayError extends Error {
  override name = "GatewayError";
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }

  get type(): string {
    return this.code.split(":", 1)[0] ?? "";
  }
}

export class OfflineError extends GatewayError {
  constructor() {
    super(
      "offline:browser",
      "You are offline. Your text is kept; send it again once you are back.",
    );
  }
}

export class UnreachableError extends GatewayError {
  constructor() {
    super(
      "offline:gateway",
      "RayLM does not answer. Check that it is still running, then try again.",
    );
  }
}

const MESSAGE_BY_TYPE: Record<string, string> = {
  bad_request: "The request was not understood. Please try again.",
  unauthorized: "Your session has ended. Reload the page to continue.",
  forbidden: "This chat belongs to someone else.",
  not_found: "This chat does not exist.",
  rate_limit: "You have reached the message limit for now. Please try again later.",
  offline: "The model cannot be reached right now. Please try again in a moment.",
};

const FALLBACK_MESSAGE = "Something went wrong. Please try again.";

/** The error for a response body that the gateway sent with `status`. */
export function gatewayError(status: number, body: string): GatewayError {
  const parsed = errorBodySchema.safeParse(parseJson(body));
  if (!parsed.success) {
    return status === 502 || status === 503
      ? new UnreachableError()
      : new GatewayError("unknown:api", FALLBACK_MESSAGE, status);
  }
  const { code, message } = parsed.data;
  const type = code.split(":", 1)[0] ?? "";
  return new GatewayError(code, message || MESSAGE_BY_TYPE[type] || FALLBACK_MESSAGE, status);
}

/** The words to show for anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof GatewayError ? error.message : FALLBACK_MESSAGE;
}
