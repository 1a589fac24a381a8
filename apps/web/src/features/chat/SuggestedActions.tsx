import type { Model } from "@/lib/api/models";

const QUESTIONS = [
  "Why is the sky blue?",
  "Write a haiku about light",
  "Explain recursion simply",
  "Plan a rainy Sunday",
];
const BEGINNINGS = [
  "Once upon a time",
  "The rules of good writing are",
  "To be, or not to be:",
  "def fibonacci(n):",
];

interface SuggestedActionsProps {
  model: Model | undefined;
  onChoose: (text: string) => void;
}

export function SuggestedActions({ model, onChoose }: SuggestedActionsProps) {
  const suggestions = model?.isChat === false ? BEGINNINGS : QUESTIONS;
  return (
    <ul
      data-testid="suggested-actions"
      aria-label="Suggestions"
      className="flex animate-in scrollbar-none gap-2 overflow-x-auto px-3 pb-3 duration-500 fade-in-0 md:flex-wrap md:justify-center md:px-0 md:pt-4"
    >
      {suggestions.map((text) => (
        <li key={text}>
          <button
            type="button"
            onClick={() => onChoose(text)}
            className="rounded-full border px-3.5 py-1.5 text-[13px] whitespace-nowrap text-muted-foreground transition-colors hover:border-accent/50 hover:text-foreground pointer-coarse:py-2.5"
          >
            {text}
          </button>
        </li>
      ))}
    </ul>
  );
}
