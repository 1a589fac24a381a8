import { type RefObject, useCallback, useEffect, useReducer, useRef, useState } from "react";
import {
  type FrameMessage,
  NOT_RUN,
  type Run,
  STARTED,
  frameMessageSchema,
  isGoingOn,
  reduceRun,
} from "./pythonRun";

export const RUN_LIMIT_S = 30;
const LOAD_LIMIT_S = 120;

type Change = FrameMessage | { type: "start" } | { type: "stopped" } | { type: "timeout" };

/** Runs Python in the sandbox frame that `frame` is given; a run is ended by taking the frame away. */
export function usePython(frame: RefObject<HTMLIFrameElement | null>) {
  const [run, tell] = useReducer(reduce, NOT_RUN);
  const [frameNumber, setFrameNumber] = useState(0);
  const waiting = useRef<string>(undefined);
  const isReady = useRef(false);

  useEffect(() => {
    function onMessage({ source, data }: MessageEvent): void {
      if (!frame.current || source !== frame.current.contentWindow) return;
      const message = frameMessageSchema.safeParse(data);
      if (!message.success) return;
      if (message.data.type === "ready" && message.data.isInstalled) {
        isReady.current = true;
        post();
      }
      tell(message.data);
    }
    function post(): void {
      // Its origin is opaque, so there is no narrower address than everybody.
      if (waiting.current !== undefined) {
        frame.current?.contentWindow?.postMessage({ type: "run", code: waiting.current }, "*");
      }
      waiting.current = undefined;
    }
    window.addEventListener("message", onMessage);
    return () => window.removeEventListener("message", onMessage);
  }, [frame]);

  const end = useCallback((how: "stopped" | "timeout") => {
    waiting.current = undefined;
    isReady.current = false;
    tell({ type: how });
    setFrameNumber(0);
  }, []);

  const { phase } = run;
  useEffect(() => {
    if (phase !== "running" && phase !== "loading" && phase !== "starting") return undefined;
    const limit_s = phase === "running" ? RUN_LIMIT_S : LOAD_LIMIT_S;
    const timer = setTimeout(() => end("timeout"), limit_s * 1_000);
    return () => clearTimeout(timer);
  }, [phase, end]);

  function start(code: string): void {
    tell({ type: "start" });
    if (frameNumber > 0 && isReady.current) {
      frame.current?.contentWindow?.postMessage({ type: "run", code }, "*");
      return;
    }
    waiting.current = code;
    setFrameNumber((number) => number + 1);
  }

  return { run, frameNumber, start, stop: () => end("stopped") };
}

function reduce(run: Run, change: Change): Run {
  switch (change.type) {
    case "start":
      return STARTED;
    case "stopped":
    case "timeout":
      return isGoingOn(run) ? { ...run, phase: change.type } : run;
    default:
      return reduceRun(run, change);
  }
}
