import { resetPassword } from "@/lib/api/session";
import { errorMessage } from "@/lib/errors";
import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { EntrancePage, LINK_CLASSES } from "./EntrancePage";
import { mailedToken } from "./mailedToken";
import { NewPasswordForm } from "./NewPasswordForm";

/** Where the link for a forgotten password leads. */
export function ResetPage() {
  const { t } = useTranslation("session");
  const [token] = useState(mailedToken);
  const { mutate, isPending, isSuccess, error } = useMutation({
    mutationFn: (password: string) => resetPassword(token, password),
  });
  return (
    <EntrancePage title={t("resetTitle")}>
      <p role="status" className="text-center text-sm empty:hidden">
        {isSuccess && t("passwordChanged")}
        {error && errorMessage(error)}
      </p>
      {isSuccess ? (
        <Link to="/login" className={`text-center text-sm ${LINK_CLASSES}`}>
          {t("signIn")}
        </Link>
      ) : (
        <NewPasswordForm isPending={isPending} onSubmit={(password) => mutate(password)} />
      )}
    </EntrancePage>
  );
}
