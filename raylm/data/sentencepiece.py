"""Sentencepiece BPE vocabularies (Llama 1 and 2, Mistral, TinyLlama) as a `tokenizers` backend."""

from collections.abc import Sequence

import tokenizers
from tokenizers import decoders, models, normalizers

_SPACE = "▁"


def sentencepiece_backend(
    vocab: dict[str, int],
    merges: Sequence[tuple[str, str]],
    *,
    unknown: str,
    prefix_space: bool,
) -> tokenizers.Tokenizer:
    """`prefix_space` puts a space before a text, and takes it away when decoding."""
    model = models.BPE(vocab, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    backend = tokenizers.Tokenizer(model)
    spaces = normalizers.Replace(" ", _SPACE)
    steps: list[decoders.Decoder] = [
        decoders.Replace(_SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if prefix_space:
        backend.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces])
        backend.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)])
    else:
        backend.normalizer = spaces
        backend.decoder = decoders.Sequence(steps)
    return backend


def merges_from_scores(scores: dict[str, float]) -> list[tuple[str, str]]:
    """Sentencepiece merges the neighbours whose union scores best; as an ordered list of merges:
    every way to split each token into two tokens, best token first, shorter parts first."""
    ranked = [
        (-score, cut, len(token) - cut, token)
        for token, score in scores.items()
        for cut in range(1, len(token))
        if token[:cut] in scores and token[cut:] in scores
    ]
    return [(token[:cut], token[cut:]) for _, cut, _, token in sorted(ranked)]
