"""What a run is made of before training starts: a tokenizer, a tokenised corpus, a model.

A tokenizer trained on the run's text, and the tokenised text, are kept in a cache; whoever
prepares them first on a machine does so for all its ranks and for the next run.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import ConfigError, WeightsError
from raylm.core.schema import BpeConfig, ModelDims, TrainConfig
from raylm.core.seeding import derive_seed
from raylm.data.chat_template import ChatTemplate
from raylm.data.corpus import Corpus, cache_folder, open_corpus
from raylm.data.holdout import Holdout
from raylm.data.sources import TextSource, open_source
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Materials:
    tokenizer: Tokenizer
    corpus: Corpus
    spec: ModelSpec
    pretrained: ModelSource | None

    @property
    def chat_template(self) -> ChatTemplate | None:
        return self.pretrained.chat_template if self.pretrained else None

    def outline_model(self, seed: int) -> Decoder:
        """On the meta device: whoever gives it memory finds the values of each parameter with
        `init_parameter`, the same on every rank, pretrained or drawn from the run's seed."""
        with torch.device("meta"):
            model = Decoder(self.spec, seed=derive_seed(seed, "weights"))
        if self.pretrained is not None:
            model.init_parameter = partial(_read, self.pretrained)  # type: ignore[method-assign]
        return model

    def blank_model(self) -> Decoder:
        """On the meta device too, but its parameters get memory only: their values are to come."""
        with torch.device("meta"):
            model = Decoder(self.spec)
        model.init_parameter = _leave_blank  # type: ignore[method-assign]
        return model

    def build_model(self, seed: int, device: torch.device) -> Decoder:
        model = self.outline_model(seed).to_empty(device=device)
        model.reset_parameters()
        return model


def _leave_blank(name: str, parameter: Tensor) -> None: ...


@torch.no_grad()
def _read(source: ModelSource, name: str, parameter: Tensor) -> None:
    parameter.copy_(source.weights[name])


def prepare(
    config: TrainConfig, resumed: Checkpoint | None = None, cache: Path | None = None
) -> Materials:
    """Reads, splits and tokenises the data; trains the tokenizer where the config says so.

    A resumed run keeps the tokenizer in its checkpoint. Raises DataError and ConfigError.
    """
    cache = cache or cache_folder()
    source = open_source(config.data.path, config.data.text_field)
    holdout = Holdout.choose(source.documents(), config.data.holdout)
    pretrained = open_model_or_run(config.model) if isinstance(config.model, str) else None
    if resumed is not None:
        tokenizer = Tokenizer.from_folder(resumed.folder)
    else:
        tokenizer = _tokenizer(config, pretrained, source, holdout, cache)
    spec = _spec(config, pretrained, tokenizer)
    return Materials(tokenizer, open_corpus(source, tokenizer, holdout, cache), spec, pretrained)


def _spec(config: TrainConfig, pretrained: ModelSource | None, tokenizer: Tokenizer) -> ModelSpec:
    if pretrained is None:
        assert isinstance(config.model, ModelDims)
        return ModelSpec.from_dims(
            config.model, tokenizer.vocab_size, max_positions=config.data.sequence_length
        )
    if tokenizer.vocab_size > pretrained.spec.vocab_size:
        raise ConfigError(
            f"data.tokenizer has {tokenizer.vocab_size} tokens but the model {config.model!r} has "
            f"only {pretrained.spec.vocab_size}; leave data.tokenizer out to use the model's own"
        )
    return pretrained.spec


def _tokenizer(
    config: TrainConfig,
    pretrained: ModelSource | None,
    source: TextSource,
    holdout: Holdout,
    cache: Path,
) -> Tokenizer:
    asked = config.data.tokenizer
    if isinstance(asked, str):
        return open_tokenizer(asked)
    if pretrained is not None:
        return pretrained.tokenizer
    return _trained(asked, source, holdout, cache)


def open_tokenizer(name_or_path: str) -> Tokenizer:
    """A folder with tokenizer.json, or the tokenizer of any model or run."""
    folder = Path(name_or_path).expanduser()
    if (folder / "tokenizer.json").is_file():
        return Tokenizer.from_folder(folder)
    return open_model_or_run(name_or_path).tokenizer


def _trained(bpe: BpeConfig, source: TextSource, holdout: Holdout, cache: Path) -> Tokenizer:
    """Trained on the training documents alone: held-out text must stay unseen."""
    identity = f"{source.fingerprint()}\0{holdout.threshold}\0{bpe.vocab_size}"
    key = hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()
    folder = cache / "tokenizers" / key
    if (folder / "tokenizer.json").is_file():
        try:
            return Tokenizer.from_folder(folder)
        except WeightsError:
            pass  # a cache entry cut short by a kill is made again
    documents = (document for document in source.documents() if document not in holdout)
    tokenizer = Tokenizer.train_bpe(documents, bpe.vocab_size)
    tokenizer.save(folder)
    return tokenizer
