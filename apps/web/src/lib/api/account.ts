/** All of a user's data. */
import { send } from "./request";

/** The address of a file with everything. */
export function exportUrl(format: "json" | "zip"): string {
  return `/api/account/export?format=${format}`;
}

export function deleteAccount(): Promise<void> {
  return send("DELETE", "/api/account");
}
