import numpy as np
import pytest

from raylm.data.corpus import Corpus, cache_folder, open_corpus
from raylm.data.holdout import Holdout
from raylm.data.sources import open_source
from raylm.data.tokenizer import Tokenizer

DOCUMENTS = [f"Document {i} says: {'é' * i} is the number {i}.\n" for i in range(40)]


@pytest.fixture
def ingredients(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for i, document in enumerate(DOCUMENTS):
        (folder / f"{i:02}.txt").write_text(document, encoding="utf-8")
    source = open_source(str(folder))
    tokenizer = Tokenizer.train_bpe(DOCUMENTS, 400)
    return source, tokenizer, Holdout.choose(DOCUMENTS, 0.2), tmp_path / "cache"


def test_the_two_files_hold_every_document_once(ingredients):
    _, tokenizer, holdout, _ = ingredients
    corpus = open_corpus(*ingredients)
    for part, held in ((corpus.training, False), (corpus.heldout, True)):
        expected = [d for d in DOCUMENTS if (d in holdout) is held]
        text = tokenizer.decode(part.open().tolist(), skip_special_tokens=False)
        assert text == "".join(d + "<|endoftext|>" for d in expected)
        assert part.documents == len(expected)
        assert part.text_bytes == sum(len(d.encode()) for d in expected)
        assert part.open().dtype == np.uint16


def test_the_second_time_nothing_is_tokenised(ingredients, monkeypatch):
    first = open_corpus(*ingredients)
    monkeypatch.setattr("raylm.data.corpus._tokenise", None)
    assert open_corpus(*ingredients) == first


def test_another_text_tokenizer_or_split_is_another_corpus(ingredients):
    source, tokenizer, holdout, cache = ingredients
    first = open_corpus(*ingredients)
    other = Tokenizer.train_bpe(DOCUMENTS, 300)
    assert open_corpus(source, other, holdout, cache).training.path != first.training.path
    wider = Holdout.choose(DOCUMENTS, 0.4)
    assert open_corpus(source, tokenizer, wider, cache).heldout.documents > first.heldout.documents
    source.files[0].write_text("changed")
    changed = open_corpus(source, tokenizer, holdout, cache)
    assert changed.training.path != first.training.path


def test_a_truncated_cache_is_built_again(ingredients):
    corpus = open_corpus(*ingredients)
    corpus.training.path.write_bytes(b"\0")
    assert Corpus.read(corpus.training.path.parent) is None
    again = open_corpus(*ingredients)
    assert again == corpus
    assert again.training.is_whole


def test_a_failed_build_leaves_nothing(ingredients, monkeypatch):
    *_, cache = ingredients

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("raylm.data.corpus._tokenise", fail)
    with pytest.raises(OSError, match="disk full"):
        open_corpus(*ingredients)
    assert list((cache / "corpora").iterdir()) == []


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "raylm"
