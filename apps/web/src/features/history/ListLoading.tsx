import { Skeleton } from "@/components/ui/skeleton";

export function ListLoading() {
  return (
    <div className="flex flex-1 flex-col gap-3 px-5.5 pt-3">
      <Skeleton className="h-4 w-4/5" />
      <Skeleton className="h-4 w-3/5" />
      <Skeleton className="h-4 w-2/3" />
    </div>
  );
}
