"""Two texts compared word by word."""

import re
from typing import Literal

from diff_match_patch import diff_match_patch

# After this long the rest is shown as replaced: a whole rewrite has no better description.
PATIENCE_S = 0.5
FIRST = 0xE000  # above the surrogates Unicode has a million characters
_KINDS: dict[int, Literal["equal", "delete", "insert"]] = {0: "equal", -1: "delete", 1: "insert"}
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


class _Differ(diff_match_patch):  # type: ignore[misc]
    def diff_halfMatch(self, text1: str, text2: str) -> None:  # noqa: N802
        """No search for a long common middle: it is quadratic in texts that repeat themselves."""


def text_diff(
    old: str, new: str, patience_s: float = PATIENCE_S
) -> list[tuple[Literal["equal", "delete", "insert"], str]]:
    """Spans in order: `equal` and `delete` joined are the old text, `equal` and `insert` the new.

    Each word becomes one character, so that Myers' algorithm (1986) never cuts a word.
    """
    vocabulary: dict[str, str] = {}
    encoded = [_encode(text, vocabulary) for text in (old, new)]
    words = {char: word for word, char in vocabulary.items()}
    differ = _Differ()
    differ.Diff_Timeout = patience_s
    changes = differ.diff_main(*encoded, False)
    differ.diff_cleanupSemantic(changes)
    return [
        (_KINDS[kind], "".join(words[char] for char in chars)) for kind, chars in changes if chars
    ]


def _encode(text: str, vocabulary: dict[str, str]) -> str:
    return "".join(
        vocabulary.setdefault(word, chr(FIRST + len(vocabulary))) for word in _WORD.findall(text)
    )
