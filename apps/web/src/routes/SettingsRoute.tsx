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
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { PageFrame } from "./PageFrame";

export function SettingsRoute() {
  const { t } = useTranslation("settings");
  const { data: user } = useQuery(sessionQuery);

  return (
    <PageFrame title={t("title")}>
      <div className="max-w-2xl">
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
    </PageFrame>
  );
}
