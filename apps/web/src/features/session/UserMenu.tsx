import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import { type User, hasAccount } from "@/lib/api/session";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { ChevronsUpDown, CircleUserRound, LogIn, LogOut, Settings } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { sessionQuery } from "./sessionQuery";
import { signOut } from "./signOut";

/** Who is here, at the foot of the sidebar; `children` come first in the menu. */
export function UserMenu({ children }: { children: ReactNode }) {
  const { t } = useTranslation("session");
  const { data: user } = useQuery(sessionQuery);
  const navigate = useNavigate();
  const isMember = hasAccount(user);
  return (
    <Menu>
      <MenuTrigger
        data-testid="user-nav-button"
        className="flex w-full items-center gap-2.5 rounded-xl px-2.5 py-2 text-sm transition-colors hover:bg-muted data-[state=open]:bg-muted pointer-coarse:py-3"
      >
        <CircleUserRound className="size-5 text-muted-foreground" strokeWidth={1.6} />
        <span data-testid="user-email" className="min-w-0 flex-1 truncate text-start">
          {isMember ? displayName(user, t("you")) : t("guest")}
        </span>
        <ChevronsUpDown className="size-4 text-muted-foreground" />
      </MenuTrigger>
      <MenuContent
        data-testid="user-nav-menu"
        side="top"
        className="w-(--radix-dropdown-menu-trigger-width)"
      >
        {children}
        <MenuItem onSelect={() => void navigate({ to: "/settings" })}>
          <Settings />
          {t("settings")}
        </MenuItem>
        <MenuItem
          data-testid="user-nav-item-auth"
          onSelect={() => void (isMember ? signOut() : navigate({ to: "/login" }))}
        >
          {isMember ? <LogOut /> : <LogIn />}
          {isMember ? t("signOut") : t("loginToAccount")}
        </MenuItem>
      </MenuContent>
    </Menu>
  );
}

function displayName({ email, name }: User, fallback: string): string {
  return email ?? name ?? fallback;
}
