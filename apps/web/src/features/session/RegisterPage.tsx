import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { CredentialsForm } from "./CredentialsForm";
import { EntrancePage, LINK_CLASSES } from "./EntrancePage";
import { OAuthButtons } from "./OAuthButtons";
import { useRegister } from "./useEntering";
import { waysInQuery } from "./waysInQuery";

export function RegisterPage() {
  const { t } = useTranslation("session");
  const { enter, isPending, reason } = useRegister();
  const { data: waysIn } = useQuery(waysInQuery);
  return (
    <EntrancePage title={t("createAccount")} lead={t("registerLead")}>
      <CredentialsForm
        label={t("signUp")}
        isNew
        isPending={isPending}
        reason={reason}
        onSubmit={(credentials) => enter(credentials)}
      />
      <OAuthButtons providers={waysIn?.oauth ?? []} />
      <p className="text-center text-sm text-muted-foreground">
        {t("haveAccount")}{" "}
        <Link to="/login" className={LINK_CLASSES}>
          {t("signIn")}
        </Link>
      </p>
    </EntrancePage>
  );
}
