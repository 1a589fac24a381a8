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

// Who is here is asked for at once.
void queryClient.prefetchQuery(sessionQuery);

const rootRoute = createRootRoute({
  // Nothing can be asked without a session, so the page opens with one.
  beforeLoad: async () => {
    await queryClient.ensureQueryData(sessionQuery);
  },
  component: Shell,
  pendingComponent: Opening,
  errorComponent: OpeningFailed,
});

const loadFrame = () => import("./Frame");
const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "frame",
  component: lazyRouteComponent(loadFrame, "Frame"),
  loader: async () => {
    (await loadFrame()).readAhead();
  },
  staleTime: Number.POSITIVE_INFINITY,
});

// Both addresses share one element, so that a new chat becomes a stored one without a remount.
const conversationRoute = createRoute({
  getParentRoute: () => frameRoute,
  id: "conversation",
  component: lazyRouteComponent(() => import("./ChatRoute"), "ChatRoute"),
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
  getParentRoute: () => frameRoute,
  path: "/models",
  component: lazyRouteComponent(() => import("./ModelsRoute"), "ModelsRoute"),
});
const runsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/runs",
  component: lazyRouteComponent(() => import("./RunsRoute"), "RunsRoute"),
});
const runRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/runs/$runId",
  component: lazyRouteComponent(() => import("./RunRoute"), "RunRoute"),
});
const settingsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings",
  component: lazyRouteComponent(() => import("./SettingsRoute"), "SettingsRoute"),
});
const nowhereRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "$",
  component: NotFound,
});

// Whoever has an account is signed in already; guests may look at both.
const entranceRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "entrance",
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
  component: lazyRouteComponent(() => import("@/features/session/ResetPage"), "ResetPage"),
});
const verifyEmailRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/verify-email",
  component: lazyRouteComponent(() => import("@/features/session/VerifyPage"), "VerifyPage"),
});

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    frameRoute.addChildren([
      conversationRoute.addChildren([newChatRoute, storedChatRoute]),
      modelsRoute,
      runsRoute,
      runRoute,
      settingsRoute,
      nowhereRoute,
    ]),
    entranceRoute.addChildren([loginRoute, registerRoute, forgotPasswordRoute]),
    resetPasswordRoute,
    verifyEmailRoute,
  ]),
});

// The code of what is at this address is asked for at once, too.
const [routes] = router.getMatchedRoutes(location.pathname);
for (const route of routes) {
  void router.loadRouteChunk(route);
}

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
