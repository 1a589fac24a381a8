import { Menu, MenuContent, MenuTrigger } from "@/components/ui/menu";
import type { User } from "@/lib/api/session";
import { useQuery } from "@tanstack/react-query";
import { ChevronsUpDown, CircleUserRound } from "lucide-react";
import type { ReactNode } from "react";
import { sessionQuery } from "./sessionQuery";

/** Who is here, at the foot of the sidebar; `children` are the menu's items. */
export function UserMenu({ children }: { children: ReactNode }) {
  const { data: user } = useQuery(sessionQuery);
  return (
    <Menu>
      <MenuTrigger
        data-testid="user-nav-button"
        className="flex w-full items-center gap-2.5 rounded-xl px-2.5 py-2 text-sm transition-colors hover:bg-muted data-[state=open]:bg-muted"
      >
        <CircleUserRound className="size-5 text-muted-foreground" strokeWidth={1.6} />
        <span data-testid="user-email" className="min-w-0 flex-1 truncate text-start">
          {displayName(user)}
        </span>
        <ChevronsUpDown className="size-4 text-muted-foreground" />
      </MenuTrigger>
      <MenuContent
        data-testid="user-nav-menu"
        side="top"
        className="w-(--radix-dropdown-menu-trigger-width)"
      >
        {children}
      </MenuContent>
    </Menu>
  );
}

function displayName(user: User | null | undefined): string {
  if (!user || user.type === "guest") return "Guest";
  return user.name ?? user.email ?? "You";
}
