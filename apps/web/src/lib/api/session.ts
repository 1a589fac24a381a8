/** Who is using the page. A visitor without a session becomes a guest on first contact. */
import { z } from "zod";
import { getJson, send } from "./request";

const userSchema = z.object({
  id: z.string(),
  type: z.enum(["guest", "regular"]),
  name: z.string().nullish(),
  email: z.string().nullish(),
});
const sessionSchema = z.object({ user: userSchema.nullable() });

export type User = z.infer<typeof userSchema>;

/** The signed-in user, or the guest that this call makes of a stranger. */
export async function fetchUser(signal?: AbortSignal): Promise<User | null> {
  const { user } = await getJson("/api/auth/session", sessionSchema, signal);
  if (user) return user;
  await send("POST", "/api/auth/guest");
  return (await getJson("/api/auth/session", sessionSchema, signal)).user;
}
