import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import type { Credentials } from "@/lib/api/session";
import type { SubmitEvent } from "react";
import { useTranslation } from "react-i18next";

const PASSWORD_CHARS = { minLength: 8, maxLength: 256 };

interface CredentialsFormProps {
  label: string;
  isNew?: boolean;
  isPending: boolean;
  /** Why the last try did not succeed. */
  reason: string | null;
  onSubmit: (credentials: Credentials) => void;
}

export function CredentialsForm(props: CredentialsFormProps) {
  const { label, isNew = false, isPending, reason, onSubmit } = props;
  const { t } = useTranslation("session");

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onSubmit({ email: String(form.get("email")), password: String(form.get("password")) });
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-4">
      <Field
        label={t("email")}
        name="email"
        type="email"
        autoComplete="username"
        placeholder={t("emailExample")}
        maxLength={254}
        required
      />
      <Field
        label={t("password")}
        name="password"
        type="password"
        autoComplete={isNew ? "new-password" : "current-password"}
        required
        {...(isNew && { ...PASSWORD_CHARS, hint: t("passwordHint") })}
      />
      {reason && (
        <p role="alert" className="text-sm text-danger">
          {reason}
        </p>
      )}
      <Button type="submit" variant="primary" className="h-11" disabled={isPending}>
        {label}
      </Button>
    </form>
  );
}
