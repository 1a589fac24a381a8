import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { CredentialsForm } from "./CredentialsForm";
import { EntrancePage, LINK_CLASSES } from "./EntrancePage";
import { OAuthButtons } from "./OAuthButtons";
import { useLogIn } from "./useEntering";
import { waysInQuery } from "./waysInQuery";

export function LoginPage() {
  const { t } = useTranslation("session");
  const { enter, isPending, reason } = useLogIn();
  const { data: waysIn } = useQuery(waysInQuery);
  return (
    <EntrancePage title={t("welcomeBack")} lead={t("loginLead")}>
      <CredentialsForm
        label={t("signIn")}
        isPending={isPending}
        reason={reason}
        onSubmit={(credentials) => enter(credentials)}
      />
      {waysIn?.mail && (
        <Link to="/forgot-password" className="-my-2 py-2 text-sm text-accent-text underline">
          {t("forgotPassword")}
        </Link>
      )}
      <OAuthButtons providers={waysIn?.oauth ?? []} />
      <p className="text-center text-sm text-muted-foreground">
        {t("noAccount")}{" "}
        <Link to="/register" className={LINK_CLASSES}>
          {t("signUp")}
        </Link>
      </p>
    </EntrancePage>
  );
}
