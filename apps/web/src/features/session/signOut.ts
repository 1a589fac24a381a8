import { logOut } from "@/lib/api/session";
import { notifyError } from "@/lib/notify";

const PERSONAL = ["raylm:draft:", "raylm:answering", "raylm:unread"];

/** Ends the session here, and forgets what the person has left in this browser. */
export async function signOut(): Promise<void> {
  try {
    await logOut();
    leave();
  } catch (error) {
    void notifyError(error);
  }
}

/** The page begins anew, for nobody: what it holds in memory is another's. */
export function leave(): void {
  for (const key of Object.keys(localStorage)) {
    if (PERSONAL.some((name) => key.startsWith(name))) localStorage.removeItem(key);
  }
  location.assign("/");
}
