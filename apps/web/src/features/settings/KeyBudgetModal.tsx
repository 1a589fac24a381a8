import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Modal } from "@/components/ui/modal";
import { Select } from "@/components/ui/select";
import { type Budget, PERIODS } from "@/lib/api/budgets";
import { type SubmitEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { budgetOf } from "./keyBudget";

interface KeyBudgetModalProps {
  name: string;
  budget: Budget | null;
  onClose: () => void;
  onSave: (budget: Partial<Budget> | null) => void;
}

/** What a key may use at most; with every field empty, no bound of its own. */
export function KeyBudgetModal({ name, budget, onClose, onSave }: KeyBudgetModalProps) {
  const { t } = useTranslation("settings");
  const [period, setPeriod] = useState<string>(budget?.period ?? "month");

  function submit(event: SubmitEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onSave(budgetOf(period, (field) => String(form.get(field))));
    onClose();
  }

  const micros = budget?.micros ?? undefined;
  const dollars = micros === undefined ? "" : micros / 1_000_000;
  return (
    <Modal
      isOpen
      onClose={onClose}
      title={t("budgetOfKey", { name })}
      description={t("keyBudgetWhat")}
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        <Select label={t("per")} value={period} onChange={setPeriod}>
          {PERIODS.map((one) => (
            <option key={one} value={one}>
              {t(`period.${one}`)}
            </option>
          ))}
        </Select>
        <Field
          label={t("requests")}
          name="requests"
          type="number"
          min={0}
          defaultValue={budget?.requests ?? ""}
        />
        <Field
          label={t("tokens")}
          name="tokens"
          type="number"
          min={0}
          defaultValue={budget?.tokens ?? ""}
        />
        <Field
          label={t("dollars")}
          name="dollars"
          type="number"
          min={0}
          step="any"
          defaultValue={dollars}
        />
        <Button type="submit" variant="primary" className="self-end pointer-coarse:h-11">
          {t("save")}
        </Button>
      </form>
    </Modal>
  );
}
