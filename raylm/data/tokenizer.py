"""Text to token ids and back: a `tokenizers` backend and the ids a model gives a meaning."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import tokenizers
from tokenizers import pre_tokenizers, trainers

from raylm.core.errors import WeightsError
from raylm.core.json_file import read_json_object, write_json_object
from raylm.data.byte_level import SMOLLM
from raylm.data.gguf_vocabulary import backend_from_gguf, token_at

END_OF_TEXT = "<|endoftext|>"

# Tokens that end an assistant's turn, whichever of them the model's author named as eos.
_END_OF_TURN = (
    END_OF_TEXT,
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
)


class Tokenizer:
    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        stop_ids: Iterable[int] = (),
    ) -> None:
        """`stop_ids` end a generation besides eos and the end-of-turn tokens it knows by name."""
        self.backend = backend
        self.bos_token = bos_token
        self.eos_token = eos_token
        self.bos_id = None if bos_token is None else backend.token_to_id(bos_token)
        self.eos_id = None if eos_token is None else backend.token_to_id(eos_token)
        self.stop_ids = frozenset(stop_ids) | self._end_of_turn_ids()

    @classmethod
    def from_folder(cls, path: Path | str) -> Self:
        """A Hugging Face folder with tokenizer.json; raises WeightsError."""
        folder = Path(path)
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise WeightsError(
                f"{folder}: has no tokenizer.json; save it with transformers' "
                "AutoTokenizer.from_pretrained(...).save_pretrained(...)"
            )
        try:
            backend = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # tokenizers raises Exception itself
            raise WeightsError(f"{file}: not a tokenizer: {error}") from None
        named = _read_if_there(folder / "tokenizer_config.json")
        generation = _read_if_there(folder / "generation_config.json")
        return cls(
            backend,
            bos_token=_token_text(named.get("bos_token")),
            eos_token=_token_text(named.get("eos_token")),
            stop_ids=_ids(generation.get("eos_token_id")),
        )

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> Self:
        """The vocabulary in a GGUF file's metadata; raises WeightsError."""
        return cls(
            backend_from_gguf(metadata),
            bos_token=token_at(metadata, "tokenizer.ggml.bos_token_id"),
            eos_token=token_at(metadata, "tokenizer.ggml.eos_token_id"),
            stop_ids=_ids([metadata.get(f"tokenizer.ggml.{k}_token_id") for k in ("eot", "eom")]),
        )

    @classmethod
    def train_bpe(cls, texts: Iterable[str], vocab_size: int) -> Self:
        """Byte-level BPE with single digits and `<|endoftext|>` as id 0 and eos.

        A short text gives fewer than `vocab_size` tokens.
        """
        backend = SMOLLM.backend()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        return cls(backend, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT)

    @property
    def vocab_size(self) -> int:
        return self.backend.get_vocab_size(with_added_tokens=True)

    @property
    def special_tokens(self) -> dict[str, str]:
        """The variables a chat template may write."""
        named = {"bos_token": self.bos_token, "eos_token": self.eos_token}
        return {name: token for name, token in named.items() if token is not None}

    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        """Special tokens spelled out in `text` become their ids; `add_special_tokens` adds what
        the model wants around a text, such as bos."""
        return self.backend.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        return self.backend.decode(ids, skip_special_tokens=skip_special_tokens)

    def token_to_id(self, token: str) -> int | None:
        return self.backend.token_to_id(token)

    def save(self, path: Path | str) -> None:
        """tokenizer.json and tokenizer_config.json, as `transformers` and `from_folder` read."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.backend.save(str(folder / "tokenizer.json"))
        write_json_object(
            folder / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "clean_up_tokenization_spaces": False,
                **self.special_tokens,
            },
        )

    def _end_of_turn_ids(self) -> set[int]:
        added = self.backend.get_added_tokens_decoder()
        special = {token.content: index for index, token in added.items() if token.special}
        ids = {special[name] for name in _END_OF_TURN if name in special}
        return ids if self.eos_id is None else ids | {self.eos_id}


def _read_if_there(path: Path) -> dict[str, Any]:
    return read_json_object(path) if path.exists() else {}


def _token_text(token: Any) -> str | None:
    """Older configs hold the token's whole description."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _ids(value: Any) -> list[int]:
    """The ids in what may be one id, a list of them, or nothing."""
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, int)]
