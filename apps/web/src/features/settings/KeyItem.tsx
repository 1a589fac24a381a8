import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { type Budget, KINDS } from "@/lib/api/budgets";
import type { ApiKey } from "@/lib/api/keys";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { formatCount, formatMicros, formatTime } from "./format";
import { KeyBudgetModal } from "./KeyBudgetModal";

interface KeyItemProps {
  apiKey: ApiKey;
  onDelete: () => void;
  onLimit: (budget: Partial<Budget> | null) => void;
}

export function KeyItem({ apiKey, onDelete, onLimit }: KeyItemProps) {
  const { t } = useTranslation("settings");
  const [open, setOpen] = useState<"deletion" | "budget">();
  const { name, prefix, lastUsedAt, budget } = apiKey;
  const close = () => setOpen(undefined);
  return (
    <li className="flex flex-wrap items-center gap-2 border-t px-4 py-3 text-sm first:border-t-0">
      <span className="min-w-40 flex-1">
        <span className="block font-medium wrap-anywhere">{name}</span>
        <span className="block text-xs text-muted-foreground">
          <span className="font-mono">{prefix}…</span>
          {" · "}
          {lastUsedAt ? t("lastUsed", { time: formatTime(lastUsedAt) }) : t("neverUsed")}
        </span>
        {budget && <Bounds budget={budget} />}
      </span>
      <Button
        size="small"
        className="pointer-coarse:h-11"
        aria-label={t("budgetOfKey", { name })}
        onClick={() => setOpen("budget")}
      >
        {t("budget")}
      </Button>
      <Button
        size="small"
        className="text-danger pointer-coarse:h-11"
        aria-label={t("deleteKey", { name })}
        onClick={() => setOpen("deletion")}
      >
        {t("delete")}
      </Button>
      {open === "budget" && (
        <KeyBudgetModal name={name} budget={budget} onClose={close} onSave={onLimit} />
      )}
      <ConfirmDialog
        isOpen={open === "deletion"}
        onClose={close}
        onConfirm={onDelete}
        title={t("confirmKey", { name })}
        description={t("confirmKeyWhat")}
        confirmLabel={t("delete")}
      />
    </li>
  );
}

function Bounds({ budget }: { budget: Budget }) {
  const { t } = useTranslation("settings");
  const bounds = KINDS.flatMap((kind) => {
    const limit = budget[kind];
    const format = kind === "micros" ? formatMicros : formatCount;
    return limit === null ? [] : [`${format(limit)} ${t(`kind.${kind}`)}`];
  });
  return (
    <span className="block text-xs text-muted-foreground">
      {t("bounds", { bounds: bounds.join(", "), period: t(`period.${budget.period}`) })}
    </span>
  );
}
