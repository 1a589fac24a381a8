import { Button } from "@/components/ui/button";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import type { DocumentKind } from "@/lib/api/documents";
import {
  BookOpen,
  Bug,
  ChartLine,
  Logs,
  type LucideIcon,
  MessageSquareMore,
  PenLine,
  Sparkles,
} from "lucide-react";
import { useTranslation } from "react-i18next";

const COMMANDS = {
  text: [
    ["polish", Sparkles],
    ["suggest", PenLine],
  ],
  code: [
    ["comments", MessageSquareMore],
    ["logs", Logs],
  ],
  sheet: [
    ["format", Sparkles],
    ["analyse", ChartLine],
  ],
  image: [],
} as const satisfies Record<DocumentKind, readonly (readonly [string, LucideIcon])[]>;
const LEVELS = ["child", "school", "general", "college", "expert"] as const;

interface ToolbarProps {
  kind: DocumentKind;
  title: string;
  /** What the program's last run failed with. */
  error: string | undefined;
  onAsk: (text: string) => void;
}

/** What is often wanted of a document: each button says it in the chat. */
export function Toolbar({ kind, title, error, onAsk }: ToolbarProps) {
  const { t } = useTranslation("artifact");
  if (kind === "image") return null;
  return (
    <div
      role="toolbar"
      aria-label={t("toolbar")}
      className="flex shrink-0 flex-wrap gap-1.5 border-t px-3 py-2"
    >
      {COMMANDS[kind].map(([name, Icon]) => (
        <Command
          key={name}
          icon={Icon}
          label={t(`commands.${name}`)}
          onClick={() => onAsk(t(`ask.${name}`, { title }))}
        />
      ))}
      {kind === "text" && <ReadingLevel title={title} onAsk={onAsk} />}
      {kind === "code" && error !== undefined && (
        <Command
          icon={Bug}
          label={t("commands.fix")}
          onClick={() => onAsk(t("ask.fix", { title, error }))}
        />
      )}
    </div>
  );
}

function ReadingLevel({ title, onAsk }: Pick<ToolbarProps, "title" | "onAsk">) {
  const { t } = useTranslation("artifact");
  return (
    <Menu>
      <MenuTrigger asChild>
        <Button size="small" className="pointer-coarse:h-11">
          <BookOpen aria-hidden="true" className="size-4" />
          {t("commands.level")}
        </Button>
      </MenuTrigger>
      <MenuContent>
        {LEVELS.map((level) => (
          <MenuItem
            key={level}
            onSelect={() => onAsk(t("ask.level", { title, level: t(`levels.${level}`) }))}
          >
            {t(`levels.${level}`)}
          </MenuItem>
        ))}
      </MenuContent>
    </Menu>
  );
}

interface CommandProps {
  icon: LucideIcon;
  label: string;
  onClick: () => void;
}

function Command({ icon: Icon, label, onClick }: CommandProps) {
  return (
    <Button size="small" className="pointer-coarse:h-11" onClick={onClick}>
      <Icon aria-hidden="true" className="size-4" />
      {label}
    </Button>
  );
}
