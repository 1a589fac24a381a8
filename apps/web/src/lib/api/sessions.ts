/** Where an account is signed in. */
import * as z from "zod/mini";
import { getJson, send } from "./request";

const sessionSchema = z.object({
  id: z.string(),
  userAgent: z.string(),
  address: z.string(),
  createdAt: z.string(),
  renewedAt: z.string(),
  isCurrent: z.boolean(),
});
const sessionsSchema = z.object({ sessions: z.array(sessionSchema) });

export type AccountSession = z.infer<typeof sessionSchema>;

export async function fetchSessions(signal?: AbortSignal): Promise<AccountSession[]> {
  return (await getJson("/api/auth/sessions", sessionsSchema, signal)).sessions;
}

export function endSession(id: string): Promise<void> {
  return send("DELETE", `/api/auth/sessions/${id}`);
}

/** This one, too. */
export function endAllSessions(): Promise<void> {
  return send("DELETE", "/api/auth/sessions");
}
