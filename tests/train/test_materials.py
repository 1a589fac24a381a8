import pytest
import torch

from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import ConfigError, DataError, ModelNotFoundError
from raylm.data.tokenizer import Tokenizer
from raylm.train.materials import prepare

CPU = torch.device("cpu")


def test_a_tokenizer_and_a_corpus_are_made_once_and_kept(make_config, cache, monkeypatch):
    first = prepare(make_config())
    assert first.tokenizer.vocab_size == first.spec.vocab_size == 300
    assert first.spec.max_positions == 16
    assert first.corpus.training.documents + first.corpus.heldout.documents == 60
    assert first.corpus.training.path.is_relative_to(cache)
    monkeypatch.setattr(Tokenizer, "train_bpe", None)
    again = prepare(make_config())
    assert again.corpus == first.corpus


def test_held_out_text_is_not_seen_by_the_tokenizer(make_config, monkeypatch):
    seen = []
    train_bpe = Tokenizer.train_bpe

    def watch(texts, vocab_size):
        seen.extend(texts)
        return train_bpe(seen, vocab_size)

    monkeypatch.setattr(Tokenizer, "train_bpe", watch)
    materials = prepare(make_config(data__holdout=0.25))
    assert len(seen) == materials.corpus.training.documents < 60


def test_a_tokenizer_cut_short_in_the_cache_is_made_again(make_config, cache):
    prepare(make_config(data__holdout=0.15))
    for file in (cache / "tokenizers").glob("*/tokenizer.json"):
        file.write_text("{")
    assert prepare(make_config(data__holdout=0.15)).tokenizer.vocab_size == 300


def test_the_weights_follow_the_seed(make_config):
    materials = prepare(make_config())
    first, same, other = (materials.build_model(seed, CPU) for seed in (1, 1, 2))
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(first.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(first.state_dict()[name], other.state_dict()[name])


def test_training_goes_on_from_a_model_with_its_own_tokenizer(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path / "run")
    config = make_config(model=tmp_path / "run")
    materials = prepare(config)
    trained = open_model_or_run(tmp_path / "run").weights
    for name, parameter in materials.build_model(0, CPU).named_parameters():
        assert torch.equal(parameter, trained[name])
    assert materials.tokenizer.vocab_size == 300


def test_a_tokenizer_may_be_any_models(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path / "run")
    assert prepare(make_config(data__tokenizer="smollm2")).spec.vocab_size == 49152
    assert prepare(make_config(data__tokenizer=tmp_path / "run")).spec.vocab_size == 300
    folder = tmp_path / "run" / "checkpoints" / "latest"
    assert prepare(make_config(data__tokenizer=folder)).spec.vocab_size == 300


def test_a_tokenizer_too_large_for_the_model_is_refused(make_config, train_alone, tmp_path):
    train_alone(make_config(), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"49152 tokens but the model .* has only 300"):
        prepare(make_config(model=tmp_path / "run", data__tokenizer="smollm2"))


def test_what_is_not_there_is_named(make_config):
    with pytest.raises(DataError, match="no data at 'nowhere'"):
        prepare(make_config(data__path="nowhere"))
    with pytest.raises(ModelNotFoundError, match="no model 'nothing'"):
        prepare(make_config(model="nothing"))
