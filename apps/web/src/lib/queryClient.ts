/** The cache of what the gateway said. Errors of reads are retried only when trying again can help. */
import { GatewayError } from "@/lib/errors";
import { QueryClient, type QueryKey } from "@tanstack/react-query";

const MAX_RETRIES = 2;

function canRetry(failures: number, error: Error): boolean {
  const isFinal = error instanceof GatewayError && error.status >= 400 && error.status < 500;
  return !isFinal && failures < MAX_RETRIES;
}

export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: canRetry, staleTime: 30_000 } },
});

/** Reads anew; what is being read just now may be older than what calls for this. */
export async function reread(client: QueryClient, queryKey: QueryKey): Promise<void> {
  await client.cancelQueries({ queryKey });
  await client.invalidateQueries({ queryKey });
}
