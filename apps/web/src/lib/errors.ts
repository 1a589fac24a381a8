/**
 * What can go wrong between the page and the gateway, and the words people read.
 *
 *     Error
 *     └── GatewayError        code "type:surface", as the gateway sends it
 *         ├── OfflineError    the browser has no network
 *         └── UnreachableError  the gateway does not answer
 */
import { t } from "@/lib/i18n";
import { parseJson } from "@/lib/json";
import * as z from "zod/mini";

const errorBodySchema = z.object({
  code: z.string(),
  message: z.optional(z.string()),
  cause: z.optional(z.unknown()),
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
    super("offline:browser", t("errors:offline"));
  }
}

export class UnreachableError extends GatewayError {
  constructor() {
    super("offline:gateway", t("errors:unreachable"));
  }
}

const KEY_BY_TYPE = {
  bad_request: "errors:bad_request",
  unauthorized: "errors:unauthorized",
  forbidden: "errors:forbidden",
  not_found: "errors:not_found",
  rate_limit: "errors:rate_limit",
  offline: "errors:model_offline",
} as const;

/** The error for a response body that the gateway sent with `status`. */
export function gatewayError(status: number, body: string): GatewayError {
  const parsed = errorBodySchema.safeParse(parseJson(body));
  if (!parsed.success) {
    return status === 502 || status === 503
      ? new UnreachableError()
      : new GatewayError("unknown:api", t("errors:unknown"), status);
  }
  const { code, message } = parsed.data;
  const type = code.split(":", 1)[0] ?? "";
  return new GatewayError(code, message || typeMessage(type), status);
}

/** The words to show for anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof GatewayError ? error.message : t("errors:unknown");
}

function typeMessage(type: string): string {
  return isKnownType(type) ? t(KEY_BY_TYPE[type]) : t("errors:unknown");
}

function isKnownType(type: string): type is keyof typeof KEY_BY_TYPE {
  return type in KEY_BY_TYPE;
}
