import { Button } from "@/components/ui/button";
import {
  Menu,
  MenuContent,
  MenuRadioGroup,
  MenuRadioItem,
  MenuTrigger,
} from "@/components/ui/menu";
import { changeChat } from "@/lib/api/chat";
import { type Visibility, visibilitySchema } from "@/lib/api/messages";
import { notifyError } from "@/lib/notify";
import { Globe, Lock, Users } from "lucide-react";
import { useTranslation } from "react-i18next";
import { changeSettings, useChatSettings } from "./chatSettings";

const ICONS: Record<Visibility, typeof Lock> = { private: Lock, members: Users, public: Globe };

/** Who may read a chat. A chat that is not stored yet will begin like that. */
export function VisibilitySelector({ chatId }: { chatId: string }) {
  const { t } = useTranslation("chat");
  const { visibility, isStored } = useChatSettings(chatId);
  const Icon = ICONS[visibility];

  async function choose(chosen: Visibility): Promise<void> {
    changeSettings(chatId, { visibility: chosen });
    if (!isStored) return;
    try {
      await changeChat(chatId, { visibility: chosen });
    } catch (error) {
      changeSettings(chatId, { visibility });
      void notifyError(error);
    }
  }

  return (
    <Menu>
      <MenuTrigger asChild>
        <Button
          variant="ghost"
          size="small"
          data-testid="visibility-selector"
          aria-label={t("visibility.label", { name: t(`visibility.${visibility}`) })}
          className="pointer-coarse:h-11"
        >
          <Icon className="size-4" />
          <span className="max-md:sr-only">{t(`visibility.${visibility}`)}</span>
        </Button>
      </MenuTrigger>
      <MenuContent align="end">
        <MenuRadioGroup
          value={visibility}
          onValueChange={(value) => void choose(visibilitySchema.parse(value))}
        >
          {visibilitySchema.options.map((option) => {
            const OptionIcon = ICONS[option];
            return (
              <MenuRadioItem
                key={option}
                value={option}
                data-testid={`visibility-selector-item-${option}`}
              >
                <OptionIcon />
                <span>
                  <span className="block">{t(`visibility.${option}`)}</span>
                  <span className="block text-xs text-muted-foreground">
                    {t(`visibility.${option}Hint`)}
                  </span>
                </span>
              </MenuRadioItem>
            );
          })}
        </MenuRadioGroup>
      </MenuContent>
    </Menu>
  );
}
