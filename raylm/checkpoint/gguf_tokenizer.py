"""A byte-level BPE vocabulary as GGUF metadata."""

import json
from collections.abc import Mapping
from typing import Any

import gguf

from raylm.core.errors import UsageError
from raylm.data.byte_level import BYTE_LEVEL_FAMILIES
from raylm.data.tokenizer import Tokenizer


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer, vocab_size: int) -> None:
    """Raises UsageError for a tokenizer that cuts text in a way GGUF has no name for."""
    state = json.loads(tokenizer.backend.to_str())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_family(state))
    tokens = {index: token for token, index in tokenizer.backend.get_vocab().items()}
    writer.add_token_list([tokens.get(i, f"[PAD{i}]") for i in range(vocab_size)])
    added = {token["id"]: token["special"] for token in state["added_tokens"]}
    writer.add_token_types([_type(i, tokens, added) for i in range(vocab_size)])
    merges = state["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    if tokenizer.bos_id is not None:
        writer.add_bos_token_id(tokenizer.bos_id)
    if tokenizer.eos_id is not None:
        writer.add_eos_token_id(tokenizer.eos_id)
    writer.add_add_bos_token(bool(tokenizer.encode("", add_special_tokens=True)))


def _type(index: int, tokens: Mapping[int, str], added: Mapping[int, bool]) -> gguf.TokenType:
    if index not in tokens:
        return gguf.TokenType.UNUSED
    if index not in added:
        return gguf.TokenType.NORMAL
    return gguf.TokenType.CONTROL if added[index] else gguf.TokenType.USER_DEFINED


def _family(state: Mapping[str, Any]) -> str:
    """The name of the family that cuts text as this tokenizer does."""
    if state["model"]["type"] == "BPE":
        for name, family in BYTE_LEVEL_FAMILIES.items():
            if _cut(json.loads(family.backend().to_str())) == _cut(state):
                return name
    raise UsageError(
        "this tokenizer cannot be written to GGUF: only byte-level BPE of the families "
        f"{', '.join(BYTE_LEVEL_FAMILIES)} can; export with --format hf"
    )


def _cut(state: Mapping[str, Any]) -> list[Any]:
    """How text is normalised and cut, free of what does not change the tokens."""
    cutter = state["pre_tokenizer"] or {}
    steps = cutter["pretokenizers"] if cutter.get("type") == "Sequence" else [cutter]
    kept = [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps]
    return [state["normalizer"], kept]
