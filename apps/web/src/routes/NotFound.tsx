import { RayMark } from "@/components/RayMark";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <div className="flex flex-1 flex-col items-center justify-center gap-4 text-center">
      <RayMark className="size-9" />
      <h1 className="text-muted-foreground">{t("notFound")}</h1>
      <Link to="/" className="text-accent-text underline underline-offset-4">
        {t("startChat")}
      </Link>
    </div>
  );
}
