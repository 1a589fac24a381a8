/** The addresses of the page: a new chat at `/`, a stored one at `/chat/{id}`, RayLM's own pages. */
import { sessionQuery } from "@/features/session/sessionQuery";
import { queryClient } from "@/lib/queryClient";
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from "@tanstack/react-router";
import { z } from "zod";
import { ChatRoute } from "./ChatRoute";
import { NotFound } from "./NotFound";
import { Opening, OpeningFailed } from "./Opening";
import { Shell } from "./Shell";

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
  component: ChatRoute,
});
const newChatRoute = createRoute({
  getParentRoute: () => conversationRoute,
  path: "/",
  // `?query=` fills the box; sending takes a person.
  validateSearch: z.object({ query: z.string().optional().catch(undefined) }),
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

export const router = createRouter({
  routeTree: rootRoute.addChildren([
    modelsRoute,
    runsRoute,
    runRoute,
    conversationRoute.addChildren([newChatRoute, storedChatRoute]),
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
