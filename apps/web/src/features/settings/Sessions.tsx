import { Button } from "@/components/ui/button";
import { endAllSessions, endSession, fetchSessions } from "@/lib/api/sessions";
import { notifyError } from "@/lib/notify";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { deviceName } from "./device";
import { formatTime } from "./format";
import { Section } from "./Section";

const SESSIONS_KEY = ["sessions"];

/** Where the account is signed in; `onLeft` is called once it no longer is, here. */
export function Sessions({ onLeft }: { onLeft: () => void }) {
  const { t } = useTranslation("settings");
  const client = useQueryClient();
  const { data: sessions = [] } = useQuery({
    queryKey: SESSIONS_KEY,
    queryFn: ({ signal }) => fetchSessions(signal),
  });
  const end = useMutation({
    mutationFn: endSession,
    onSuccess: () => client.invalidateQueries({ queryKey: SESSIONS_KEY }),
    onError: (error) => void notifyError(error),
  });
  const endAll = useMutation({
    mutationFn: endAllSessions,
    onSuccess: onLeft,
    onError: (error) => void notifyError(error),
  });

  return (
    <Section title={t("sessions")} description={t("sessionsWhat")}>
      <ul className="flex flex-col rounded-xl border">
        {sessions.map(({ id, userAgent, address, renewedAt, isCurrent }) => (
          <li
            key={id}
            className="flex items-center gap-3 border-t px-4 py-3 text-sm first:border-t-0"
          >
            <span className="min-w-0 flex-1">
              <span className="block truncate font-medium">
                {deviceName(userAgent) || t("unknownDevice")}
              </span>
              <span className="block text-xs text-muted-foreground">
                {address} · {formatTime(renewedAt)}
              </span>
            </span>
            {isCurrent ? (
              <span className="shrink-0 text-xs text-accent-text">{t("thisDevice")}</span>
            ) : (
              <Button size="small" className="pointer-coarse:h-11" onClick={() => end.mutate(id)}>
                {t("logOut")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <Button className="self-start pointer-coarse:h-11" onClick={() => endAll.mutate()}>
        {t("logOutEverywhere")}
      </Button>
    </Section>
  );
}
