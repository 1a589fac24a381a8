import { whenIdle } from "@/lib/whenIdle";
import { type ReactNode, startTransition, useEffect, useState } from "react";

interface LaterProps {
  /** What stands there until then. */
  before?: ReactNode;
  children: ReactNode;
}

/** The page has had a quiet moment: what opens from now on need not wait for the rest. */
let isSettled = false;

/** Rendered once what is around it is shown, in slices that let the reader's keys through. */
export function Later({ before, children }: LaterProps) {
  const [isDue, setIsDue] = useState(isSettled);
  useEffect(() => {
    startTransition(() => setIsDue(true));
    whenIdle(() => (isSettled = true));
  }, []);
  return isDue ? children : before;
}
