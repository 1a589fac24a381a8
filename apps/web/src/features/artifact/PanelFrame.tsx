import { cn } from "@/lib/classNames";
import { createPreference } from "@/lib/preference";
import { useSignal } from "@/lib/signal";
import { useMediaQuery } from "@/lib/useMediaQuery";
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from "react";
import { useTranslation } from "react-i18next";
import * as z from "zod/mini";
import { useReturnFocus } from "./useReturnFocus";

const MIN_PERCENT = 30;
const MAX_PERCENT = 75;
const STEP_PERCENT = 5;
const panelWidth = createPreference("artifact-width", z.number(), 50);

interface PanelFrameProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** Beside the conversation, as wide as the reader wants; on small screens over all of it. */
export default function PanelFrame({ title, onClose, children }: PanelFrameProps) {
  const { t } = useTranslation("artifact");
  const isNarrow = useMediaQuery("(max-width: 767px)");
  const percent = clamp(useSignal(panelWidth));
  const panel = useRef<HTMLElement>(null);
  useReturnFocus(panel, isNarrow);

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented || event.nativeEvent.isComposing) return;
    event.preventDefault();
    onClose();
  }

  return (
    <>
      {!isNarrow && <Separator percent={percent} panel={panel} />}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- Escape, from within */}
      <section
        ref={panel}
        data-testid="artifact"
        tabIndex={-1}
        role={isNarrow ? "dialog" : "region"}
        aria-modal={isNarrow || undefined}
        aria-label={t("panel", { title })}
        onKeyDown={onKeyDown}
        style={isNarrow ? undefined : { width: `${percent}%` }}
        className={cn(
          "flex min-w-0 flex-col bg-background outline-none",
          isNarrow ? "fixed inset-0 z-30 h-dvh" : "shrink-0",
        )}
      >
        {children}
      </section>
    </>
  );
}

function Separator({ percent, panel }: { percent: number; panel: { current: Element | null } }) {
  const { t } = useTranslation("artifact");

  function onPointerMove(event: PointerEvent<HTMLDivElement>): void {
    const row = panel.current?.parentElement;
    if (!row || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const { left, right, width } = row.getBoundingClientRect();
    const panelPixels = isRtl(row) ? event.clientX - left : right - event.clientX;
    panelWidth.set(clamp((100 * panelPixels) / width));
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowLeft: STEP_PERCENT, ArrowRight: -STEP_PERCENT }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    panelWidth.set(clamp(percent + (isRtl(event.currentTarget) ? -step : step)));
  }

  return (
    <div
      role="separator"
      aria-orientation="vertical"
      aria-label={t("resize")}
      aria-valuenow={Math.round(percent)}
      aria-valuemin={MIN_PERCENT}
      aria-valuemax={MAX_PERCENT}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a separator that moves is a widget
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={onPointerMove}
      className="group relative w-px shrink-0 cursor-col-resize touch-none bg-border outline-offset-0 before:absolute before:inset-y-0 before:-start-1.5 before:z-10 before:w-3 hover:bg-accent"
    />
  );
}

function isRtl(element: Element): boolean {
  return getComputedStyle(element).direction === "rtl";
}

function clamp(percent: number): number {
  return Math.min(MAX_PERCENT, Math.max(MIN_PERCENT, percent));
}
