import { RayMark } from "@/components/RayMark";
import { Link } from "@tanstack/react-router";

export function NotFound() {
  return (
    <div className="flex flex-1 flex-col items-center justify-center gap-4 text-center">
      <RayMark className="size-9" />
      <p className="text-muted-foreground">Nothing lives at this address.</p>
      <Link to="/" className="text-accent-text underline underline-offset-4">
        Start a chat
      </Link>
    </div>
  );
}
