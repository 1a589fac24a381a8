import { fetchWaysIn } from "@/lib/api/session";
import { queryOptions } from "@tanstack/react-query";

export const waysInQuery = queryOptions({
  queryKey: ["waysIn"],
  queryFn: ({ signal }) => fetchWaysIn(signal),
  staleTime: Number.POSITIVE_INFINITY,
});
