import { Select } from "@/components/ui/select";
import { useTranslation } from "react-i18next";
import { useModels } from "./useModels";

/** The model that new chats begin with: a chosen one, or whichever the installation prefers. */
export function DefaultModel() {
  const { t } = useTranslation("models");
  const { models = [], chosenId, serverDefault, choose } = useModels();
  return (
    <Select label={t("default")} value={chosenId} onChange={choose}>
      <option value="">{t("serverDefault", { model: serverDefault?.name ?? t("none") })}</option>
      {models.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}
