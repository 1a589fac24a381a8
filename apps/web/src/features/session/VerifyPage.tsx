import { verifyEmail } from "@/lib/api/session";
import { GatewayError, errorMessage } from "@/lib/errors";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { CredentialsForm } from "./CredentialsForm";
import { EntrancePage } from "./EntrancePage";
import { mailedToken } from "./mailedToken";
import { sessionQuery } from "./sessionQuery";
import { useLogIn } from "./useEntering";

/** Where the link that proves an address leads; it counts for who is signed in to the account. */
export function VerifyPage() {
  const { t } = useTranslation("session");
  const [token] = useState(mailedToken);
  const client = useQueryClient();
  const { mutate, isSuccess, error } = useMutation({
    mutationFn: () => verifyEmail(token),
    onSuccess: () => client.invalidateQueries(sessionQuery),
  });
  const { enter, isPending, reason } = useLogIn(() => mutate());
  useEffect(() => mutate(), [mutate]);
  const mustSignIn = error instanceof GatewayError && [401, 403].includes(error.status);

  return (
    <EntrancePage title={t("verifyTitle")}>
      <p role="status" className="text-center text-sm empty:hidden">
        {isSuccess && t("verified")}
        {mustSignIn && (reason ?? t("signInToVerify"))}
        {error && !mustSignIn && errorMessage(error)}
      </p>
      {mustSignIn && (
        <CredentialsForm
          label={t("signIn")}
          isPending={isPending}
          reason={null}
          onSubmit={(credentials) => enter(credentials)}
        />
      )}
    </EntrancePage>
  );
}
