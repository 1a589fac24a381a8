import { RayMark } from "@/components/RayMark";
import { Button } from "@/components/ui/button";
import { errorMessage } from "@/lib/errors";
import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

const SCREEN_CLASSES = "flex h-dvh flex-col items-center justify-center gap-5 px-6 text-center";

/** The page while it learns who is here. */
export function Opening() {
  return (
    <div className={SCREEN_CLASSES}>
      <RayMark className="size-10" isActive />
    </div>
  );
}

/** The page when the gateway does not say who is here. */
export function OpeningFailed({ error }: ErrorComponentProps) {
  const router = useRouter();
  const { t } = useTranslation();
  return (
    <div className={SCREEN_CLASSES}>
      <RayMark className="size-10" />
      <p role="alert" className="text-muted-foreground">
        {errorMessage(error)}
      </p>
      <Button onClick={() => void router.invalidate()}>{t("tryAgain")}</Button>
    </div>
  );
}
