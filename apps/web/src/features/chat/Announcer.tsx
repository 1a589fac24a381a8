import { useState } from "react";

/** Tells screen readers when an answer begins and ends, instead of reading every token. */
export function Announcer({ isBusy }: { isBusy: boolean }) {
  const [hasBeenBusy, setHasBeenBusy] = useState(isBusy);
  if (isBusy && !hasBeenBusy) setHasBeenBusy(true);
  const ending = hasBeenBusy ? "Answer complete" : "";
  return (
    <p role="status" className="sr-only">
      {isBusy ? "Answering" : ending}
    </p>
  );
}
