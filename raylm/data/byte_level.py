"""The byte-level BPE families: same algorithm, different ways to cut text before it.

The names are those of `tokenizer.ggml.pre` in GGUF files; the cuts follow each family's own
tokenizer.json.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers

_LLAMA3_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2_CUT = _LLAMA3_CUT.replace(r"\p{N}{1,3}", r"\p{N}")


@dataclass(frozen=True, slots=True)
class ByteLevel:
    """One family. `cut` is the expression that cuts text into words; None is GPT-2's."""

    cut: str | None = None
    single_digits: bool = False
    composes_unicode: bool = False
    whole_words_first: bool = False
    adds_bos: bool = False

    def backend(
        self, vocab: dict[str, int] | None = None, merges: Sequence[tuple[str, str]] | None = None
    ) -> tokenizers.Tokenizer:
        """Without a vocabulary: a backend to be trained."""
        model = models.BPE(vocab, merges, ignore_merges=self.whole_words_first)
        backend = tokenizers.Tokenizer(model)
        if self.composes_unicode:
            backend.normalizer = normalizers.NFC()
        backend.pre_tokenizer = pre_tokenizers.Sequence(self._pre_tokenizers())
        backend.decoder = decoders.ByteLevel()
        return backend

    def _pre_tokenizers(self) -> list[pre_tokenizers.PreTokenizer]:
        steps: list[pre_tokenizers.PreTokenizer] = []
        if self.single_digits:
            steps.append(pre_tokenizers.Digits(individual_digits=True))
        if self.cut is not None:
            steps.append(pre_tokenizers.Split(Regex(self.cut), "isolated"))
        steps.append(pre_tokenizers.ByteLevel(False, use_regex=self.cut is None))
        return steps


_GPT2 = ByteLevel()
SMOLLM = ByteLevel(single_digits=True)
_LLAMA3 = ByteLevel(_LLAMA3_CUT, whole_words_first=True, adds_bos=True)
_QWEN2 = ByteLevel(_QWEN2_CUT, composes_unicode=True)

BYTE_LEVEL_FAMILIES = {
    "gpt-2": _GPT2,
    "smollm": SMOLLM,
    "starcoder": SMOLLM,
    "refact": SMOLLM,
    "llama-bpe": _LLAMA3,
    "llama3": _LLAMA3,
    "llama-v3": _LLAMA3,
    "qwen2": _QWEN2,
    "deepseek-r1-qwen": _QWEN2,
}
