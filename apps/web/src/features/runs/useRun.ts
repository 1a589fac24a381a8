/** One run, whole and then kept up to date by what it appends. */
import {
  type Curves,
  type RunContents,
  fetchCurves,
  fetchRun,
  newsAddress,
  newsSchema,
} from "@/lib/api/runs";
import { parseJson } from "@/lib/json";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { appended } from "./curves";

const REFRESH_MS = 10_000;

export function useRun(id: string) {
  const client = useQueryClient();
  const contents = useQuery({
    queryKey: ["run", id],
    queryFn: ({ signal }) => fetchRun(id, signal),
    refetchInterval: REFRESH_MS,
  });
  const curves = useQuery({
    queryKey: ["curves", id],
    queryFn: ({ signal }) => fetchCurves(id, signal),
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    gcTime: 0,
  });
  const [isLive, setLive] = useState(false);
  const isRead = contents.isSuccess && curves.isSuccess;
  const metricsEnd = curves.data?.metricsEnd;

  useEffect(() => {
    const eventsEnd = client.getQueryData<RunContents>(["run", id])?.eventsEnd;
    if (!isRead || metricsEnd === undefined || eventsEnd === undefined) return;
    const source = new EventSource(newsAddress(id, metricsEnd, eventsEnd));
    source.addEventListener("open", () => setLive(true));
    source.addEventListener("message", ({ data }) => {
      const news = newsSchema.safeParse(parseJson(String(data)));
      if (!news.success) return;
      if ("isAnew" in news.data) {
        source.close();
        void client.invalidateQueries({ queryKey: ["curves", id] });
        void client.invalidateQueries({ queryKey: ["run", id] });
        return;
      }
      const { metrics, events } = news.data;
      client.setQueryData<Curves>(["curves", id], (now) => now && appended(now, metrics));
      // What an event means for the run's status and checkpoints, the gateway says.
      if (events.length > 0) void client.invalidateQueries({ queryKey: ["run", id] });
    });
    return () => {
      source.close();
      setLive(false);
    };
  }, [client, id, isRead, metricsEnd]);

  return { contents, curves, isLive };
}
