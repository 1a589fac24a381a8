import { Button } from "@/components/ui/button";
import { cn } from "@/lib/classNames";
import { ArrowUp, Square } from "lucide-react";
import type { KeyboardEvent, SubmitEvent } from "react";
import { useAutosize } from "./useAutosize";

interface ComposerProps {
  text: string;
  onTextChange: (text: string) => void;
  isBusy: boolean;
  placeholder: string;
  onSend: (text: string) => void;
  onStop: () => void;
}

/** Where people write. Enter sends, Shift+Enter breaks the line; the send button becomes stop. */
export function Composer(props: ComposerProps) {
  const { text, onTextChange, isBusy, placeholder, onSend, onStop } = props;
  const box = useAutosize();
  const isEmpty = text.trim() === "";

  function submit(event?: SubmitEvent): void {
    event?.preventDefault();
    if (!isEmpty && !isBusy) onSend(text.trim());
  }

  function onKeyDown(event: KeyboardEvent): void {
    // During composition Enter picks a candidate of the input method.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  }

  return (
    <form
      onSubmit={submit}
      className={cn(
        "flex items-end gap-2 rounded-[1.6rem] border bg-surface py-2 ps-5 pe-2 shadow-float transition-colors",
        "focus-within:border-accent/60",
      )}
    >
      <textarea
        ref={box}
        data-testid="multimodal-input"
        aria-label="Message"
        name="message"
        rows={1}
        // oxlint-disable-next-line jsx-a11y/no-autofocus -- writing is what this page is for
        autoFocus={matchMedia("(pointer: fine)").matches}
        value={text}
        placeholder={placeholder}
        onChange={(event) => onTextChange(event.target.value)}
        onKeyDown={onKeyDown}
        className="field-sizing-content max-h-[40dvh] min-h-9 flex-1 resize-none scrollbar-quiet bg-transparent py-1.5 leading-6 outline-none placeholder:text-muted-foreground"
      />
      {isBusy ? (
        <Button
          variant="primary"
          size="icon"
          data-testid="stop-button"
          aria-label="Stop answering"
          className="rounded-full"
          onClick={onStop}
        >
          <Square className="size-3.5 fill-current" />
        </Button>
      ) : (
        <Button
          variant="primary"
          size="icon"
          type="submit"
          data-testid="send-button"
          aria-label="Send message"
          className="rounded-full"
          disabled={isEmpty}
        >
          <ArrowUp className="size-[18px]" strokeWidth={2.25} />
        </Button>
      )}
    </form>
  );
}
