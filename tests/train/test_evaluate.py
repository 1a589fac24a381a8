import math

import pytest
import torch

from raylm.train.evaluate import Evaluator
from raylm.train.initialize import initialize
from raylm.train.materials import prepare

CPU = torch.device("cpu")


@pytest.fixture
def materials(make_config, cache):
    return prepare(make_config())


def evaluate(materials, model, max_tokens=100_000, micro=4, length=16):
    evaluator = Evaluator(materials.corpus.heldout, length, max_tokens, micro)
    return evaluator.run(initialize(model, {"precision": "fp32"}), CPU)


class Uniform(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.level = torch.nn.Parameter(torch.zeros(300))

    def forward(self, tokens):
        return self.level.expand(*tokens.shape, 300)


def test_a_uniform_model_scores_the_entropy_of_its_vocabulary(materials):
    heldout = materials.corpus.heldout
    found = evaluate(materials, Uniform())
    assert found.loss == pytest.approx(math.log(300))
    assert found.tokens == heldout.tokens - 1
    bits = math.log2(300) * heldout.tokens / heldout.text_bytes
    assert found.bits_per_byte == pytest.approx(bits)


def test_the_loss_does_not_depend_on_how_it_is_cut_into_batches(materials):
    whole = evaluate(materials, materials.build_model(0, CPU), micro=64)
    assert evaluate(materials, materials.build_model(0, CPU), micro=3).loss == pytest.approx(
        whole.loss, rel=1e-6
    )


def test_max_tokens_bounds_the_work(materials):
    model = materials.build_model(0, CPU)
    assert evaluate(materials, model, max_tokens=50).tokens == 50


def test_evaluation_leaves_no_gradients(materials):
    model = materials.build_model(0, CPU)
    evaluate(materials, model)
    assert all(p.grad is None for p in model.parameters())
