/** Who is using the page, and the ways to become somebody else. */
import * as z from "zod/mini";
import { getJson, postJson, send } from "./request";

const userSchema = z.object({
  id: z.string(),
  type: z.enum(["guest", "regular", "admin"]),
  name: z.nullable(z.string()),
  email: z.nullable(z.string()),
  emailVerified: z.boolean(),
});
const sessionSchema = z.object({ user: z.nullable(userSchema) });

const waysInSchema = z.object({
  oauth: z.array(z.enum(["github", "google"])),
  /** Whether the server can mail, and so replace a forgotten password. */
  mail: z.boolean(),
});

export type User = z.infer<typeof userSchema>;
export type WaysIn = z.infer<typeof waysInSchema>;

export interface Credentials {
  email: string;
  password: string;
}

/** The cookie's user; a visitor without one becomes a guest. */
export async function fetchUser(signal?: AbortSignal): Promise<User | null> {
  const { user } = await getJson("/api/auth/session", sessionSchema, signal);
  return user ?? (await postJson("/api/auth/guest", sessionSchema)).user;
}

/** Whether someone is signed in, and no guest. */
export function hasAccount(user: User | null | undefined): user is User {
  return user !== null && user !== undefined && user.type !== "guest";
}

export function fetchWaysIn(signal?: AbortSignal): Promise<WaysIn> {
  return getJson("/api/auth/oauth", waysInSchema, signal);
}

export async function logIn(credentials: Credentials): Promise<User | null> {
  return (await postJson("/api/auth/login", sessionSchema, credentials)).user;
}

export async function register(credentials: Credentials): Promise<User | null> {
  return (await postJson("/api/auth/register", sessionSchema, credentials)).user;
}

export function logOut(): Promise<void> {
  return send("POST", "/api/auth/logout");
}

/** Asks for a mail with a link; the answer does not tell whether there is such an account. */
export function forgetPassword(email: string): Promise<void> {
  return send("POST", "/api/auth/password/forgot", { email });
}

export function resetPassword(token: string, password: string): Promise<void> {
  return send("POST", "/api/auth/password/reset", { token, password });
}

/** Without `current`, an account's first password. */
export function changePassword(password: string, current?: string): Promise<void> {
  return send("POST", "/api/auth/password", { password, ...(current && { current }) });
}

export function verifyEmail(token: string): Promise<void> {
  return send("POST", "/api/auth/verify", { token });
}

export function mailVerification(): Promise<void> {
  return send("POST", "/api/auth/verify/mail");
}
