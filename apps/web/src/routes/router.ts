/** The addresses of the page: a new chat at `/`, a stored one at `/chat/{id}`, pages beside them. */
import { sessionQuery } from "@/features/session/sessionQuery";
import { hasAccount } from "@/lib/api/session";
import { queryClient } from "@/lib/queryClient";
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { NotFound } from "./NotFound";
import { Opening, OpeningFailed } from "./Opening";
import { Shell } from "./Shell";

const loadChat = () => import("./ChatRoute");
// Who is here, and what most visits are for, are asked for at once.
void queryClient.prefetchQuery(sessionQuery);
if (/^\/(chat\/|$)/.test(location.pathname)) void loadChat();

const rootRoute = createRootRoute({
  // Nothing can be asked without a session, so the page opens with one.
  beforeLoad: async () => {
    await queryClient.ensureQueryData(sessionQuery);
  },
  component: Shell,
  pendingComponent: Opening,
  errorComponent: OpeningFailed,
  notFoundComponent: NotFound,
});

// Both addresses share one element, so that a new chat becomes a stored one without a remount.
const conversationRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "conversation",
  component: lazyRouteComponent(loadChat, "ChatRoute"),
});
const newChatRoute = createRoute({
  getParentRoute: () => conversationRoute,
  path: "/",
  // `?query=` fills the box; sending takes a person.
  validateSearch: ({ query }: Record<string, unknown>): { query?: string } =>
    typeof query === "string" ? { query } : {},
});
const storedChatRoute = createRoute({
  getParentRoute: () => conversationRoute,
  path: "/chat/$chatId",
});

const modelsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/models",
  component: lazyRouteComponent(() => import("./ModelsRoute"), "ModelsRoute"),
});
const runsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/runs",
  component: lazyRouteComponent(() => import("./RunsRoute"), "RunsRoute"),
});
const runRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/runs/$runId",
  component: lazyRouteComponent(() => import("./RunRoute"), "RunRoute"),
});
const settingsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/settings",
  component: lazyRouteComponent(() => import("./SettingsRoute"), "SettingsRoute"),
});

// Whoever has an account is signed in already; guests may look at both.
const entranceRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "entrance",
  staticData: { isBare: true },
  beforeLoad: async () => {
    if (hasAccount(await queryClient.ensureQueryData(sessionQuery))) throw redirect({ to: "/" });
  },
});
const loginRoute = createRoute({
  getParentRoute: () => entranceRoute,
  path: "/login",
  component: lazyRouteComponent(() => import("@/features/session/LoginPage"), "LoginPage"),
});
const registerRoute = createRoute({
  getParentRoute: () => entranceRoute,
  path: "/register",
  component: lazyRouteComponent(() => import("@/features/session/RegisterPage"), "RegisterPage"),
});
const forgotPasswordRoute = createRoute({
  getParentRoute: () => entranceRoute,
  path: "/forgot-password",
  component: lazyRouteComponent(() => import("@/features/session/ForgotPage"), "ForgotPage"),
});

// Where the links in mails lead.
const resetPasswordRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/reset-password",
  staticData: { isBare: true },
  component: lazyRouteComponent(() => import("@/features/session/ResetPage"), "ResetPage"),
});
const verifyEmailRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/verify-email",
  staticData: { isBare: true },
  component: lazyRouteComponent(() => import("@/features/session/VerifyPage"), "VerifyPage"),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    modelsRoute,
    runsRoute,
    runRoute,
    conversationRoute.addChildren([newChatRoute, storedChatRoute]),
    settingsRoute,
    entranceRoute.addChildren([loginRoute, registerRoute, forgotPasswordRoute]),
    resetPasswordRoute,
    verifyEmailRoute,
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
  interface StaticDataRouteOption {
    /** Without the sidebar. */
    isBare?: boolean;
  }
}
