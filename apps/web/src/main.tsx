import { startLanguage } from "@/lib/language";
import { queryClient } from "@/lib/queryClient";
import { router } from "@/routes/router";
import "@/styles.css";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

/** Until the router knows what to show, index.html does. */
async function open(page: HTMLElement): Promise<void> {
  await Promise.all([startLanguage(), router.load()]);
  createRoot(page).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}

// Not awaited: chunks that are asked for meanwhile import from this one.
void open(root);
