"""A source, tokenised once: memory-mapped token files in a cache, with a part held out.

The cache is keyed by the source's files, the tokenizer and the split. A folder in it is
whole or absent, because it is renamed into place.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from raylm.data.holdout import Holdout
from raylm.data.packing import concatenate
from raylm.data.sources import TextSource
from raylm.data.tokenizer import Tokenizer

_META = "corpus.json"
_DOCUMENTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class TokenFile:
    """Little-endian token ids in a file; `text_bytes` is the UTF-8 size of what they spell."""

    path: Path
    dtype: str
    documents: int
    tokens: int
    text_bytes: int

    def open(self) -> npt.NDArray[np.integer]:
        return np.memmap(self.path, self.dtype, "r", shape=(self.tokens,))

    @property
    def is_whole(self) -> bool:
        size = self.tokens * np.dtype(self.dtype).itemsize
        return self.path.is_file() and self.path.stat().st_size == size


@dataclass(frozen=True, slots=True)
class Corpus:
    training: TokenFile
    heldout: TokenFile

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The corpus in a cache folder, None where there is no whole one."""
        try:
            meta = json.loads((folder / _META).read_text(encoding="utf-8"))
            parts = {n: TokenFile(folder / f"{n}.bin", **meta[n]) for n in ("training", "heldout")}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return cls(**parts) if all(part.is_whole for part in parts.values()) else None


def cache_folder() -> Path:
    """Where tokenised corpora and trained tokenizers are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "raylm"


def open_corpus(source: TextSource, tokenizer: Tokenizer, holdout: Holdout, cache: Path) -> Corpus:
    """The cached corpus, tokenised first where there is none."""
    folder = cache / "corpora" / _key(source, tokenizer, holdout)
    if (corpus := Corpus.read(folder)) is not None:
        return corpus
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=folder.name, suffix=".part", dir=folder.parent))
    try:
        _tokenise(source, tokenizer, holdout, draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except OSError:
        # Another process may have put the same corpus there first; theirs is as good.
        if Corpus.read(folder) is None:
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    corpus = Corpus.read(folder)
    assert corpus is not None
    return corpus


def _key(source: TextSource, tokenizer: Tokenizer, holdout: Holdout) -> str:
    parts = (source.fingerprint(), tokenizer.backend.to_str(), str(holdout.threshold))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _tokenise(source: TextSource, tokenizer: Tokenizer, holdout: Holdout, folder: Path) -> None:
    dtype = "<u2" if tokenizer.vocab_size <= 2**16 else "<u4"
    with (
        _Writer(folder / "training.bin", dtype) as training,
        _Writer(folder / "heldout.bin", dtype) as heldout,
    ):
        for texts in _batches(source.documents()):
            encodings = tokenizer.backend.encode_batch(texts, add_special_tokens=False)
            documents = concatenate((e.ids for e in encodings), tokenizer.eos_id)
            for text, ids in zip(texts, documents, strict=True):
                (heldout if text in holdout else training).add(text, ids)
    meta = {"training": training.summary(), "heldout": heldout.summary()}
    (folder / _META).write_text(json.dumps(meta, indent=2), encoding="utf-8")


class _Writer:
    def __init__(self, path: Path, dtype: str) -> None:
        self._dtype = dtype
        self._file = path.open("wb")
        self._documents = self._tokens = self._text_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: str, ids: list[int]) -> None:
        self._file.write(np.asarray(ids, self._dtype).tobytes())
        self._documents += 1
        self._tokens += len(ids)
        self._text_bytes += len(text.encode())

    def summary(self) -> dict[str, str | int]:
        return {
            "dtype": self._dtype,
            "documents": self._documents,
            "tokens": self._tokens,
            "text_bytes": self._text_bytes,
        }


def _batches(documents: Iterable[str]) -> Iterator[list[str]]:
    documents = iter(documents)
    while batch := list(islice(documents, _DOCUMENTS_AT_ONCE)):
        yield batch
