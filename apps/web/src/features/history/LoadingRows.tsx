import { Skeleton } from "@/components/ui/skeleton";
import { cn } from "@/lib/classNames";

export function LoadingRows({ className }: { className?: string }) {
  return (
    <div className={cn("flex flex-col gap-3 px-2.5 py-3", className)}>
      <Skeleton className="h-4 w-4/5" />
      <Skeleton className="h-4 w-3/5" />
      <Skeleton className="h-4 w-2/3" />
    </div>
  );
}
