import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { changePassword } from "@/lib/api/session";
import { errorMessage } from "@/lib/errors";
import { t as translate } from "@/lib/i18n";
import { notifySuccess } from "@/lib/notify";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { Section } from "./Section";

export function PasswordSection() {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const { mutate, isPending, error } = useMutation({
    mutationFn: (form: FormData) =>
      changePassword(String(form.get("password")), String(form.get("current"))),
    onSuccess: () => {
      void notifySuccess(translate("settings:passwordChanged"));
      void client.invalidateQueries({ queryKey: ["sessions"] });
    },
  });

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = event.currentTarget;
    mutate(new FormData(form), { onSuccess: () => form.reset() });
  }

  return (
    <Section title={t("password")} description={t("passwordWhat")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            label={t("currentPassword")}
            name="current"
            type="password"
            autoComplete="current-password"
            maxLength={256}
          />
          <Field
            label={t("newPassword")}
            name="password"
            type="password"
            autoComplete="new-password"
            minLength={8}
            maxLength={256}
            required
          />
        </div>
        {error && (
          <p role="alert" className="text-sm text-danger">
            {errorMessage(error)}
          </p>
        )}
        <Button type="submit" className="self-start pointer-coarse:h-11" disabled={isPending}>
          {t("changePassword")}
        </Button>
      </form>
    </Section>
  );
}
