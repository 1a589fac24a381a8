import type { ProviderHealth } from "@/lib/api/adminModels";
import { cn } from "@/lib/classNames";
import { useTranslation } from "react-i18next";

/** How the providers are, and which of their models are left alone for having failed. */
export function ProviderList({ providers }: { providers: ProviderHealth[] }) {
  const { t } = useTranslation("models");
  return (
    <section aria-labelledby="providers">
      <h2 id="providers" className="mb-3 font-semibold">
        {t("page.providers")}
      </h2>
      <ul className="flex flex-col gap-2">
        {providers.map((provider) => (
          <li
            key={provider.name}
            data-testid={`provider-${provider.name}`}
            className="rounded-2xl border bg-surface px-4 py-3 text-sm"
          >
            <p className="flex flex-wrap items-center gap-x-2.5">
              <span
                aria-hidden="true"
                className={cn(
                  "size-2.5 rounded-full",
                  provider.isUp ? "bg-emerald-600 dark:bg-emerald-400" : "bg-danger",
                )}
              />
              <span className="font-medium">{provider.name}</span>
              <span className="text-xs text-muted-foreground">
                {provider.isUp
                  ? t("page.providerUp", { count: provider.modelCount })
                  : t("page.providerDown")}
              </span>
            </p>
            {provider.error && (
              <p className="mt-0.5 ps-5 text-xs break-words text-danger">{provider.error}</p>
            )}
            {provider.circuits.map((circuit) => (
              <p key={circuit.model} className="mt-0.5 ps-5 text-xs text-danger">
                {t("page.circuit", {
                  model: circuit.model,
                  seconds: Math.ceil(circuit.openForSeconds),
                })}
              </p>
            ))}
          </li>
        ))}
      </ul>
    </section>
  );
}
