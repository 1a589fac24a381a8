"""A `tokenizers` backend from the vocabulary in a GGUF file's metadata."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tokenizers
from tokenizers import AddedToken, processors

from raylm.core.errors import WeightsError
from raylm.data.byte_level import BYTE_LEVEL_FAMILIES, ByteLevel
from raylm.data.sentencepiece import merges_from_scores, sentencepiece_backend

_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4


def backend_from_gguf(metadata: Mapping[str, Any]) -> tokenizers.Tokenizer:
    """Raises WeightsError for a kind it does not know, or a vocabulary that does not add up."""
    model = metadata.get("tokenizer.ggml.model")
    if model not in ("gpt2", "llama"):
        raise WeightsError(f"the tokenizer kind {model!r} is not one of gpt2, llama")
    family = _family(metadata) if model == "gpt2" else None
    try:
        backend = _sentencepiece(metadata) if family is None else _byte_level(metadata, family)
    except WeightsError:
        raise
    except Exception as error:  # tokenizers raises Exception itself
        raise WeightsError(f"the vocabulary does not add up: {error}") from None
    _mark_added_tokens(backend, metadata)
    _add_bos(backend, metadata, by_default=family is None or family.adds_bos)
    return backend


def token_at(metadata: Mapping[str, Any], key: str) -> str | None:
    """The token whose id is the metadata value `key`, None where the key is absent."""
    tokens = _strings(metadata, "tokenizer.ggml.tokens")
    index = metadata.get(key)
    if index is None:
        return None
    if type(index) is not int or not 0 <= index < len(tokens):
        raise WeightsError(f"{key} is {index!r}, but the vocabulary has {len(tokens)} tokens")
    return tokens[index]


def _family(metadata: Mapping[str, Any]) -> ByteLevel:
    name = metadata.get("tokenizer.ggml.pre")
    if not isinstance(name, str) or name not in BYTE_LEVEL_FAMILIES:
        known = ", ".join(BYTE_LEVEL_FAMILIES)
        raise WeightsError(f"the tokenizer's pre-tokenizer {name!r} is not one of {known}")
    return BYTE_LEVEL_FAMILIES[name]


def _byte_level(metadata: Mapping[str, Any], family: ByteLevel) -> tokenizers.Tokenizer:
    return family.backend(_vocab(metadata), _merges(metadata))


def _sentencepiece(metadata: Mapping[str, Any]) -> tokenizers.Tokenizer:
    if "tokenizer.ggml.merges" in metadata:
        merges = _merges(metadata)
    else:
        tokens = _strings(metadata, "tokenizer.ggml.tokens")
        scores = _numbers(metadata, "tokenizer.ggml.scores", len(tokens))
        kinds = _numbers(metadata, "tokenizer.ggml.token_type", len(tokens))
        known = zip(tokens, scores, kinds, strict=True)
        merges = merges_from_scores({t: s for t, s, kind in known if kind == _NORMAL})
    return sentencepiece_backend(
        _vocab(metadata),
        merges,
        unknown=token_at(metadata, "tokenizer.ggml.unknown_token_id") or "<unk>",
        prefix_space=bool(metadata.get("tokenizer.ggml.add_space_prefix", True)),
    )


def _mark_added_tokens(backend: tokenizers.Tokenizer, metadata: Mapping[str, Any]) -> None:
    """Control and user-defined tokens are matched whole in a text, before it is cut."""
    tokens = _strings(metadata, "tokenizer.ggml.tokens")
    kinds = _numbers(metadata, "tokenizer.ggml.token_type", len(tokens))
    for kind, special in ((_CONTROL, True), (_USER_DEFINED, False)):
        backend.add_tokens(
            [
                AddedToken(token, normalized=False, special=special)
                for token, its_kind in zip(tokens, kinds, strict=True)
                if its_kind == kind
            ]
        )


def _add_bos(
    backend: tokenizers.Tokenizer, metadata: Mapping[str, Any], *, by_default: bool
) -> None:
    bos = token_at(metadata, "tokenizer.ggml.bos_token_id")
    if bos is not None and metadata.get("tokenizer.ggml.add_bos_token", by_default):
        backend.post_processor = processors.TemplateProcessing(
            single=[bos, "$A"],
            pair=[bos, "$A", bos, "$B:1"],
            special_tokens=[(bos, metadata["tokenizer.ggml.bos_token_id"])],
        )


def _vocab(metadata: Mapping[str, Any]) -> dict[str, int]:
    return {t: index for index, t in enumerate(_strings(metadata, "tokenizer.ggml.tokens"))}


def _merges(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    merges = []
    for merge in _strings(metadata, "tokenizer.ggml.merges"):
        left, space, right = merge.partition(" ")
        if not space:
            raise WeightsError(f"the merge {merge!r} is not two tokens")
        merges.append((left, right))
    return merges


def _strings(metadata: Mapping[str, Any], key: str) -> list[str]:
    value = metadata.get(key)
    if not isinstance(value, list):
        raise WeightsError(f"the metadata key {key!r} is not a list of strings")
    return value


def _numbers(metadata: Mapping[str, Any], key: str, count: int) -> list[float]:
    values = metadata.get(key)
    if not isinstance(values, np.ndarray) or len(values) != count:
        raise WeightsError(f"the metadata key {key!r} is not a list of {count} numbers")
    numbers: list[float] = values.tolist()
    return numbers
