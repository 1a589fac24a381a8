"""Tokens to text as they come: whole characters only, and never a piece of a stop string."""

from collections.abc import Sequence
from typing import Protocol

_REPLACEMENT = "\ufffd"

# The bytes of a character still to come: a byte-level tokenizer shows the part that is there as
# one replacement character, a sentencepiece one as one per byte, of which there are at most 3.
_LONGEST_PART = 3


class Decodes(Protocol):
    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str: ...


class Detokenizer:
    """Joined, the texts of every `push` and the `flush` are the tokens' text, cut before the
    first stop string."""

    def __init__(self, tokenizer: Decodes, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = StopStrings(stop)
        self._ids: list[int] = []
        # Decoded again with each token: the last readable piece, for tokenizers whose tokens look
        # different at the start of a text, and what follows it.
        self._window = 0
        self._readable = 0
        self._given = 0  # characters of the window's text

    @property
    def stopped(self) -> bool:
        return self._stop.found

    def push(self, token_id: int) -> str:
        self._ids.append(token_id)
        text = self._tokenizer.decode(self._ids[self._window :])
        whole = len(text) - _unreadable_end(text)
        new = text[self._given : whole]
        if whole == len(text):
            self._window, self._readable = self._readable, len(self._ids)
            text = self._tokenizer.decode(self._ids[self._window :])
            whole = len(text)
        self._given = whole
        return self._stop.push(new)

    def flush(self) -> str:
        """What was held back, when no more tokens come."""
        rest = self._tokenizer.decode(self._ids[self._window :])[self._given :]
        self._given += len(rest)
        return self._stop.push(rest) + self._stop.flush()


def _unreadable_end(text: str) -> int:
    end = text[-_LONGEST_PART:]
    return len(end) - len(end.rstrip(_REPLACEMENT))


class StopStrings:
    """Text in, text out, up to the first of the stop strings, wherever its pieces fall."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        if self.found:
            return ""
        text = self._held + text
        places = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        self.found = bool(places)
        cut = min(places) if places else len(text) - self._beginning_of_a_stop(text)
        self._held = "" if self.found else text[cut:]
        return text[:cut]

    def flush(self) -> str:
        held, self._held = self._held, ""
        return held

    def _beginning_of_a_stop(self, text: str) -> int:
        """The length of the longest end of `text` that could grow into a stop string."""
        longest = max(map(len, self._stop), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self._stop):
                return length
        return 0
