import { LocalModels } from "@/features/catalog/LocalModels";
import { ModelCatalog } from "@/features/catalog/ModelCatalog";
import { useTranslation } from "react-i18next";
import { useIsAdmin } from "./AdminsOnly";
import { PageFrame } from "./PageFrame";
import { useChatWith } from "./useChatWith";

export function ModelsRoute() {
  const { t } = useTranslation("models");
  const isAdmin = useIsAdmin();
  const chatWith = useChatWith();
  return (
    <PageFrame title={t("page.title")}>
      <section aria-labelledby="models-to-ask">
        <h2 id="models-to-ask" className="mb-3 font-semibold">
          {t("page.available")}
        </h2>
        <ModelCatalog onChat={(model) => void chatWith(model)} />
      </section>
      {isAdmin && <LocalModels />}
    </PageFrame>
  );
}
