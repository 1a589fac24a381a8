"""A small text, a small configuration, and a team of one for everything that needs no Ray."""

import os
from pathlib import Path

import pytest
import torch

from raylm.core.schema import TrainConfig
from raylm.train.loop import Position, TrainingLoop
from raylm.train.materials import prepare
from raylm.train.rundir import RunDirectory, choose_start
from raylm.train.team import Soloist
from raylm.train.trainer import Trainer
from tests.clusters import keep_ray

SENTENCE = """the quick brown fox jumps over a lazy dog while seven wizards brew strong ale
and nobody remembers which harbour holds their golden compass tonight"""
WORDS = SENTENCE.split()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Trained tokenizers and tokenised text, shared by the tests and never in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield Path(os.environ["XDG_CACHE_HOME"]) / "raylm"


@pytest.fixture(scope="module")
def ray_cluster(request, cache):
    """Started after the cache is set, for its workers inherit the environment."""
    keep_ray(request, cpus=4)


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory):
    """Sentences with some order in them, so that a model has something to learn."""
    folder = tmp_path_factory.mktemp("texts")
    for number in range(60):
        order = [WORDS[(number * 7 + i * i) % len(WORDS)] for i in range(80)]
        (folder / f"{number:02}.txt").write_text(" ".join(order) + ".\n", encoding="utf-8")
    return folder


@pytest.fixture
def make_config(text_folder):
    def make(**changes):
        tree = {
            "name": "test",
            "steps": 6,
            "workers": 1,
            "model": {"hidden_size": 32, "num_layers": 2, "num_heads": 2},
            "data": {
                "path": str(text_folder),
                "sequence_length": 16,
                "tokenizer": {"train": "bpe", "vocab_size": 300},
                "holdout": 0.1,
            },
            "batch": {"global": 8, "micro": 2},
            "optimizer": {"lr": 0.01},
            "schedule": {"warmup_steps": 2},
            "precision": "fp32",
            "evaluation": {"every": 3, "max_tokens": 512},
            "checkpoint": {"every": 2, "keep_last": 2},
        }
        overrides = [f"{key.replace('__', '.')}={value}" for key, value in changes.items()]
        return TrainConfig.load(tree, overrides)

    return make


@pytest.fixture
def make_trainer(cache):
    def make(config, checkpoint=None):
        trainer = Trainer(config, prepare(config, checkpoint), torch.device("cpu"))
        if checkpoint is not None:
            trainer.restore(checkpoint)
        return trainer

    return make


@pytest.fixture
def train_alone(make_trainer):
    """Run the loop in this process, without Ray; the updates and the trainer."""

    def run(config, output, resume=None, stop=lambda: False):
        start = choose_start(config, output, resume)
        trainer = make_trainer(config, start.checkpoint)
        directory = RunDirectory(start.folder, config)
        directory.rewind(start.step)
        team = Soloist(trainer)
        updates = list(TrainingLoop(config, team, directory, Position.of(start), stop).run())
        directory.close()
        return updates, trainer

    return run
