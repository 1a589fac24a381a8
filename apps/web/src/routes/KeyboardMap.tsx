import { Modal } from "@/components/ui/modal";
import { MOD_KEY } from "@/lib/modKey";
import { useSignal } from "@/lib/signal";
import { useTranslation } from "react-i18next";
import { BOX_KEYS, SHORTCUTS } from "./shortcuts";
import { COMMAND_NAMES } from "./commandNames";
import { isKeyboardMapOpen } from "./useShortcuts";

const SIGNS: Record<string, string> = { mod: MOD_KEY, arrowup: "↑", escape: "Esc" };

/** All shortcuts and commands. */
export default function KeyboardMap() {
  const { t } = useTranslation("keyboard");
  const { t: tell } = useTranslation("composer");
  const isOpen = useSignal(isKeyboardMapOpen);
  return (
    <Modal isOpen={isOpen} onClose={() => isKeyboardMapOpen.set(false)} title={t("title")}>
      <Group heading={t("anywhere")}>
        {SHORTCUTS.map(({ name, chords }) => (
          <Row key={name} deed={t(`deed.${name}`)} chords={chords} />
        ))}
      </Group>
      <Group heading={t("inTheBox")}>
        {BOX_KEYS.map(({ name, chords }) => (
          <Row key={name} deed={t(`deed.${name}`)} chords={chords} />
        ))}
      </Group>
      <Group heading={t("commands")}>
        {COMMAND_NAMES.map((name) => (
          <Row key={name} deed={tell(`command.${name}`)} chords={[`/${name}`]} />
        ))}
      </Group>
    </Modal>
  );
}

function Group({ heading, children }: { heading: string; children: React.ReactNode }) {
  return (
    <section className="mb-4 last:mb-0">
      <h3 className="mb-1 text-xs font-medium text-muted-foreground">{heading}</h3>
      <dl>{children}</dl>
    </section>
  );
}

function Row({ deed, chords }: { deed: string; chords: readonly string[] }) {
  const { t } = useTranslation("keyboard");
  return (
    <div className="flex items-center justify-between gap-4 border-b py-2 text-sm last:border-0">
      <dt>{deed}</dt>
      <dd className="flex shrink-0 items-center gap-2">
        {chords.map((chord, index) => (
          <span key={chord} className="flex items-center gap-1">
            {index > 0 && <span className="me-1 text-xs text-muted-foreground">{t("or")}</span>}
            {keysOf(chord).map((key) => (
              <kbd key={key} className="rounded-md border bg-muted px-1.5 py-0.5 font-mono text-xs">
                {key === "shift" || key === "enter" || key === "backspace" ? t(`key.${key}`) : key}
              </kbd>
            ))}
          </span>
        ))}
      </dd>
    </div>
  );
}

function keysOf(chord: string): string[] {
  return chord.split("+").map((key) => SIGNS[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}
