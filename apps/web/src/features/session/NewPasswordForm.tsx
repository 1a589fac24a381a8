import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import type { SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

interface NewPasswordFormProps {
  isPending: boolean;
  onSubmit: (password: string) => void;
}

export function NewPasswordForm({ isPending, onSubmit }: NewPasswordFormProps) {
  const { t } = useTranslation("session");

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    onSubmit(String(new FormData(event.currentTarget).get("password")));
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field
        label={t("newPassword")}
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={8}
        maxLength={256}
        hint={t("passwordHint")}
        required
      />
      <Button type="submit" variant="primary" className="h-11" disabled={isPending}>
        {t("changePassword")}
      </Button>
    </form>
  );
}
