import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { forgetPassword } from "@/lib/api/session";
import { errorMessage } from "@/lib/errors";
import { useMutation } from "@tanstack/react-query";
import type { SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { EntrancePage } from "./EntrancePage";

export function ForgotPage() {
  const { t } = useTranslation("session");
  const { mutate, isPending, isSuccess, error } = useMutation({ mutationFn: forgetPassword });

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    mutate(String(new FormData(event.currentTarget).get("email")));
  }

  return (
    <EntrancePage title={t("forgotTitle")} lead={t("forgotLead")}>
      <p role="status" className="text-center text-sm empty:hidden">
        {isSuccess && t("mailIsComing")}
        {error && errorMessage(error)}
      </p>
      {!isSuccess && (
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label={t("email")} name="email" type="email" autoComplete="username" required />
          <Button type="submit" variant="primary" className="h-11" disabled={isPending}>
            {t("sendLink")}
          </Button>
        </form>
      )}
    </EntrancePage>
  );
}
