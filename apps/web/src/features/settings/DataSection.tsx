import { Button } from "@/components/ui/button";
import { ConfirmDialog } from "@/components/ui/confirmDialog";
import { deleteAccount, exportUrl } from "@/lib/api/account";
import { HISTORY_KEY, deleteAllChats } from "@/lib/api/history";
import { t as translate } from "@/lib/i18n";
import { notifyError, notifySuccess } from "@/lib/notify";
import { reread } from "@/lib/queryClient";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Section } from "./Section";

const LINK_CLASSES =
  "inline-flex h-9 items-center rounded-xl border bg-surface px-3.5 text-sm font-medium transition-colors hover:bg-muted pointer-coarse:h-11";

/** Taking one's data along, and deleting it; `onGone` is called once nothing is left. */
export function DataSection({ onGone }: { onGone: () => void }) {
  const { t } = useTranslation("settings");
  const [asked, setAsked] = useState<"chats" | "account">();
  const client = useQueryClient();
  const deletion = useMutation({
    mutationFn: (what: "chats" | "account") =>
      what === "chats" ? deleteAllChats() : deleteAccount(),
    onSuccess: (_, what) => {
      if (what === "account") return onGone();
      void notifySuccess(translate("settings:chatsDeleted"));
      return reread(client, HISTORY_KEY);
    },
    onError: (error) => void notifyError(error),
  });

  return (
    <Section title={t("data")} description={t("dataWhat")}>
      <div className="flex flex-wrap gap-2">
        <a href={exportUrl("json")} download className={LINK_CLASSES}>
          {t("exportJson")}
        </a>
        <a href={exportUrl("zip")} download className={LINK_CLASSES}>
          {t("exportZip")}
        </a>
      </div>
      <div className="flex flex-wrap gap-2">
        <Button className="text-danger pointer-coarse:h-11" onClick={() => setAsked("chats")}>
          {t("deleteChats")}
        </Button>
        <Button className="text-danger pointer-coarse:h-11" onClick={() => setAsked("account")}>
          {t("deleteAccount")}
        </Button>
      </div>
      {asked && (
        <ConfirmDialog
          isOpen
          onClose={() => setAsked(undefined)}
          onConfirm={() => deletion.mutate(asked)}
          title={t(asked === "chats" ? "confirmChats" : "confirmAccount")}
          description={t(asked === "chats" ? "confirmChatsWhat" : "confirmAccountWhat")}
          confirmLabel={t(asked === "chats" ? "deleteChats" : "deleteAccount")}
        />
      )}
    </Section>
  );
}
