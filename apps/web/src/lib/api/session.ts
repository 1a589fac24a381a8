/** Who is using the page. */
import { z } from "zod";
import { getJson, postJson } from "./request";

const userSchema = z.object({
  id: z.string(),
  type: z.enum(["guest", "regular", "admin"]),
  name: z.string().nullable(),
  email: z.string().nullable(),
});
const sessionSchema = z.object({ user: userSchema.nullable() });

export type User = z.infer<typeof userSchema>;

/** The cookie's user; a visitor without one becomes a guest. */
export async function fetchUser(signal?: AbortSignal): Promise<User | null> {
  const { user } = await getJson("/api/auth/session", sessionSchema, signal);
  return user ?? (await postJson("/api/auth/guest", sessionSchema)).user;
}
