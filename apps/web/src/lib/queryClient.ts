/** The cache of what the gateway said. Errors of reads are retried only when trying again can help. */
import { GatewayError } from "@/lib/errors";
import { QueryClient } from "@tanstack/react-query";

const MAX_RETRIES = 2;

function canRetry(failures: number, error: Error): boolean {
  const isFinal = error instanceof GatewayError && error.status >= 400 && error.status < 500;
  return !isFinal && failures < MAX_RETRIES;
}

export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: canRetry, staleTime: 30_000 } },
});
