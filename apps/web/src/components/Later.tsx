import { type ReactNode, startTransition, useEffect, useState } from "react";

interface LaterProps {
  /** What stands there until then. */
  before?: ReactNode;
  children: ReactNode;
}

/** Rendered once what is around it is shown, in slices that let the reader's keys through. */
export function Later({ before, children }: LaterProps) {
  const [isDue, setIsDue] = useState(false);
  useEffect(() => startTransition(() => setIsDue(true)), []);
  return isDue ? children : before;
}
