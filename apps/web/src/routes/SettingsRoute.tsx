import { IconButton } from "@/components/ui/iconButton";
import { DefaultModel } from "@/features/models/DefaultModel";
import { sessionQuery } from "@/features/session/sessionQuery";
import { leave } from "@/features/session/signOut";
import { DataSection } from "@/features/settings/DataSection";
import { KeysSection } from "@/features/settings/KeysSection";
import { LanguageChoice } from "@/features/settings/LanguageChoice";
import { PasswordSection } from "@/features/settings/PasswordSection";
import { Section } from "@/features/settings/Section";
import { Sessions } from "@/features/settings/Sessions";
import { UsageSection } from "@/features/settings/UsageSection";
import { ThemeChoice } from "@/features/theme/ThemeChoice";
import { hasAccount } from "@/lib/api/session";
import { MOD_KEY } from "@/lib/modKey";
import { useDocumentTitle } from "@/lib/useDocumentTitle";
import { useQuery } from "@tanstack/react-query";
import { PanelLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSidebar } from "./useSidebar";

export function SettingsRoute() {
  const { t } = useTranslation("settings");
  const { data: user } = useQuery(sessionQuery);
  const { isOpen, toggle } = useSidebar();
  useDocumentTitle(t("title"));

  return (
    <>
      <header className="flex h-14 shrink-0 items-center gap-1 px-2.5">
        {!isOpen && (
          <IconButton
            label={t("openSidebar")}
            shortcut={`${MOD_KEY} B`}
            data-testid="sidebar-toggle-button"
            onClick={toggle}
          >
            <PanelLeft className="size-[18px]" />
          </IconButton>
        )}
      </header>
      <div className="min-h-0 flex-1 scrollbar-quiet overflow-y-auto">
        <div className="mx-auto max-w-2xl px-4 pb-16 md:px-6">
          <h1 className="mb-2 text-2xl font-semibold tracking-[-0.02em]">{t("title")}</h1>
          <Section title={t("general")}>
            <div className="grid gap-4 sm:grid-cols-2">
              <ThemeChoice />
              <LanguageChoice />
              <DefaultModel />
            </div>
          </Section>
          <UsageSection />
          {hasAccount(user) && (
            <>
              <KeysSection />
              <PasswordSection />
              <Sessions onLeft={leave} />
            </>
          )}
          <DataSection onGone={leave} />
        </div>
      </div>
    </>
  );
}
