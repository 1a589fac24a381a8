"""A run folder with real checkpoints of a tiny model, written without training."""

import pytest
import torch

from raylm.checkpoint import save
from raylm.checkpoint.shard_file import Part, write_shard
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.partition import FlatLayout
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.hf_weights import save_hf_folder
from raylm.models.spec import ModelSpec

TEXTS = ["some words, 12 numbers and\n\tünïcödé — all of it", "the the them then there 345"] * 5


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer.train_bpe(TEXTS, 300)


@pytest.fixture(scope="session")
def spec_of(tokenizer):
    """The tiny model's, with changes."""

    def spec(**changes):
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
        return ModelSpec(**(dims | changes))

    return spec


@pytest.fixture
def write_checkpoint(tmp_path, tokenizer, spec_of):
    """Save a checkpoint of a model with its own weights at a step of tmp_path/run."""

    def write(step=10, folder=tmp_path / "run", **changes):
        spec = spec_of(**changes)
        torch.manual_seed(step)
        model = Decoder(spec)
        draft = save.begin(folder / "checkpoints", step)
        save_hf_folder(draft, spec, model.state_dict(), tokenizer)
        save.write_tensors(draft / "optimizer.safetensors", {"step/x": torch.tensor(float(step))})
        save.commit(draft, step=step, samples=step * 8, world_size=2, config={"seed": 1})
        return model

    return write


@pytest.fixture(scope="session")
def parts_of():
    """Rank's parts of tensors by KIND/NAME; a scalar is held by all ranks."""

    def parts(tensors, rank, world_size):
        found = []
        for kind in dict.fromkeys(key.partition("/")[0] for key in tensors):
            own = {k.partition("/")[2]: t for k, t in tensors.items() if k.startswith(f"{kind}/")}
            scalars = {name: own.pop(name) for name in list(own) if own[name].dim() == 0}
            found += [Part(kind, name, 0, t.view(1)) for name, t in scalars.items()]
            layout = FlatLayout.of({name: t.shape for name, t in own.items()}, world_size)
            found += [
                Part(kind, piece.name, piece.within.start, own[piece.name].view(-1)[inside])
                for piece in layout.pieces(rank)
                for inside in [slice(piece.within.start, piece.within.stop)]
            ]
        return found

    return parts


@pytest.fixture(scope="session")
def records_of():
    def records(tensors):
        return {key: TensorRecord.of(t.shape, t.dtype) for key, t in tensors.items()}

    return records


@pytest.fixture(scope="session")
def save_sharded(parts_of, records_of):
    """A sharded checkpoint of tensors by KIND/NAME, and of whatever `also` puts into it."""

    def write(root, tensors, *, step=10, world_size=2, also=lambda draft: None):
        draft = save.begin(root, step)
        also(draft)
        for rank in range(world_size):
            write_shard(draft, rank, world_size, parts_of(tensors, rank, world_size))
        return save.commit(
            draft,
            step=step,
            samples=step * 8,
            world_size=world_size,
            config={"seed": 1},
            tensors=records_of(tensors),
        )

    return write


@pytest.fixture
def write_sharded_checkpoint(tmp_path, tokenizer, spec_of, save_sharded):
    """As write_checkpoint, but in the shards of `world_size` ranks."""

    def write(step=10, folder=tmp_path / "run", world_size=3, dtype=torch.float32, **changes):
        spec = spec_of(**changes)
        torch.manual_seed(step)
        model = Decoder(spec).to(dtype)
        named = {name: p.detach() for name, p in model.named_parameters()}
        moments = {f"exp_avg/{name}": torch.rand(p.shape) for name, p in named.items()}

        def save_configuration(draft):
            save_hf_folder(draft, spec, model.state_dict(), tokenizer)
            (draft / "model.safetensors").unlink()

        save_sharded(
            folder / "checkpoints",
            {f"param/{name}": p for name, p in named.items()} | moments,
            step=step,
            world_size=world_size,
            also=save_configuration,
        )
        return model

    return write
