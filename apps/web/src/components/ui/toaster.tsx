import { CircleAlert, CircleCheck } from "lucide-react";
import { Toaster as Sonner } from "sonner";

export default function Toaster({ theme }: { theme: "light" | "dark" }) {
  return (
    <Sonner
      theme={theme}
      position="top-center"
      icons={{
        error: <CircleAlert className="size-4 text-danger" />,
        success: <CircleCheck className="size-4 text-accent-text" />,
      }}
      toastOptions={{
        unstyled: true,
        classNames: {
          toast:
            "flex w-full items-start gap-3 font-sans rounded-xl border bg-surface px-4 py-3 text-sm leading-snug shadow-float",
          icon: "mt-0.5",
          content: "min-w-0 flex-1",
          actionButton:
            "-my-1 shrink-0 rounded-lg px-2.5 py-1 font-medium text-accent-text hover:bg-muted pointer-coarse:-my-2 pointer-coarse:py-2.5",
        },
      }}
    />
  );
}
