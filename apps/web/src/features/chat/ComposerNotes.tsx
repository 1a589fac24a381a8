import type { Model } from "@/lib/api/models";
import { useOnline } from "@/lib/useOnline";
import { PenLine, WifiOff } from "lucide-react";
import type { ReactNode } from "react";

/** What one should know before writing: the network is gone, or the model cannot chat. */
export function ComposerNotes({ model }: { model: Model | undefined }) {
  const isOnline = useOnline();
  return (
    <div role="status" className="flex flex-col items-center">
      {!isOnline && (
        <Note icon={<WifiOff className="size-3.5" />}>
          You are offline. Answers go on when the network is back.
        </Note>
      )}
      {model?.isChat === false && (
        <Note icon={<PenLine className="size-3.5" />}>
          Plain completion: this model continues text, it does not chat.
        </Note>
      )}
    </div>
  );
}

function Note({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <p className="mb-2.5 flex items-center gap-2 rounded-full bg-accent-soft px-3.5 py-1.5 text-[13px] text-accent-text">
      {icon}
      {children}
    </p>
  );
}
