import { cn } from "@/lib/classNames";

const RAYS = ["M6.6 11.2 8.3 4.4", "m11 13 8-8", "M12.8 17.4l6.8-1.7"];
const DELAY_CLASSES = ["", "[animation-delay:160ms]", "[animation-delay:320ms]"];

/** The sign of RayLM: a source and its rays. While `isActive` the rays go out one after another. */
export function RayMark({
  className,
  isActive = false,
}: {
  className?: string;
  isActive?: boolean;
}) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={2.25}
      strokeLinecap="round"
      aria-hidden="true"
      className={cn("size-6 shrink-0 text-accent", className)}
    >
      <circle cx="6" cy="18" r="3.1" fill="currentColor" stroke="none" />
      {RAYS.map((path, index) => (
        <path
          key={path}
          d={path}
          className={cn(isActive && ["animate-ray", DELAY_CLASSES[index]])}
        />
      ))}
    </svg>
  );
}
