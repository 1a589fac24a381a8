import type { WaysIn } from "@/lib/api/session";
import { useTranslation } from "react-i18next";

const NAMES = { github: "GitHub", google: "Google" };

/** Ways in through others, where the server has been given credentials for them. */
export function OAuthButtons({ providers }: { providers: WaysIn["oauth"] }) {
  const { t } = useTranslation("session");
  if (providers.length === 0) return null;
  return (
    <div className="flex flex-col gap-2">
      <p className="flex items-center gap-3 text-xs text-muted-foreground before:h-px before:flex-1 before:bg-border after:h-px after:flex-1 after:bg-border">
        {t("or")}
      </p>
      {providers.map((provider) => (
        <a
          key={provider}
          href={`/api/auth/oauth/${provider}?redirectUrl=/`}
          className="flex h-11 items-center justify-center rounded-xl border bg-surface text-sm font-medium transition-colors hover:bg-muted"
        >
          {t("continueWith", { provider: NAMES[provider] })}
        </a>
      ))}
    </div>
  );
}
