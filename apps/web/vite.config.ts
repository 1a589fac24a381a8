import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { loadEnv } from "vite";
import { defineConfig } from "vitest/config";
import { chunks } from "./chunks.ts";

// `npm run dev` serves the page alone and sends the API calls to a running gateway.
const { RAYLM_GATEWAY: gateway = "http://127.0.0.1:8000" } = loadEnv("development", ".", "RAYLM_");

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { tsconfigPaths: true },
  server: { proxy: { "/api": gateway, "/v1": gateway } },
  build: {
    outDir: "../raylm_apps/gateway/static",
    emptyOutDir: true,
    // The content security policy allows no inline anything, data: URLs included.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_000,
    rolldownOptions: { output: { codeSplitting: { groups: chunks } } },
  },
  test: { include: ["src/**/*.test.ts"] },
});
