"""A run folder with real checkpoints of a tiny model, written without training."""

import pytest
import torch

from raylm.checkpoint import save
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.hf_weights import save_hf_folder
from raylm.models.spec import ModelSpec

TEXTS = ["some words, 12 numbers and\n\tünïcödé — all of it", "the the them then there 345"] * 5


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer.train_bpe(TEXTS, 300)


@pytest.fixture
def write_checkpoint(tmp_path, tokenizer):
    """Save a checkpoint of a model with its own weights at a step of tmp_path/run."""

    def write(step=10, folder=tmp_path / "run", **changes):
        dims = {
            "vocab_size": tokenizer.vocab_size,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_layers": 2,
            "num_heads": 4,
            "num_kv_heads": 2,
            "head_dim": 16,
            "max_positions": 64,
        }
        spec = ModelSpec(**(dims | changes))
        torch.manual_seed(step)
        model = Decoder(spec)
        draft = save.begin(folder / "checkpoints", step)
        save_hf_folder(draft, spec, model.state_dict(), tokenizer)
        save.write_tensors(draft / "optimizer.safetensors", {"step/x": torch.tensor(float(step))})
        save.commit(draft, step=step, samples=step * 8, world_size=2, config={"seed": 1})
        return model

    return write
