import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import type { SubmitEvent } from "react";
import { useTranslation } from "react-i18next";
import { KeyItem } from "./KeyItem";
import { NewKeyModal } from "./NewKeyModal";
import { Section } from "./Section";
import { useKeys } from "./useKeys";

/** The keys that programs ask with. */
export function KeysSection() {
  const { t } = useTranslation("settings");
  const { keys, create, newKey, forgetNewKey, remove, limit } = useKeys();

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = event.currentTarget;
    create(String(new FormData(form).get("name")), { onSuccess: () => form.reset() });
  }

  return (
    <Section title={t("keys")} description={t("keysWhat")}>
      {keys.length > 0 && (
        <ul aria-label={t("keys")} className="flex flex-col rounded-xl border">
          {keys.map((key) => (
            <KeyItem
              key={key.id}
              apiKey={key}
              onDelete={() => remove(key.id)}
              onLimit={(budget) => limit({ id: key.id, budget })}
            />
          ))}
        </ul>
      )}
      <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
        <Field
          label={t("keyName")}
          name="name"
          maxLength={100}
          autoComplete="off"
          required
          className="min-w-40 flex-1"
        />
        <Button type="submit" className="h-10 pointer-coarse:h-11">
          {t("createKey")}
        </Button>
      </form>
      {newKey !== undefined && <NewKeyModal apiKey={newKey} onClose={forgetNewKey} />}
    </Section>
  );
}
