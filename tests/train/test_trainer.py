import math

import pytest
import torch

from raylm.train.trainer import StepPlan


def parameters_after(trainer, steps=3, batch=8):
    results = []
    for step in range(1, steps + 1):
        samples = range((step - 1) * batch, step * batch)
        results.append(trainer.step(StepPlan(step, samples, lr=1e-3)).result)
    return results, {
        name: p.detach().clone() for name, p in trainer.engine.module.named_parameters()
    }


def test_accumulation_changes_nothing(make_config, make_trainer):
    whole, parameters = parameters_after(make_trainer(make_config(batch__micro=8)))
    for micro in (1, 4):
        parts, found = parameters_after(make_trainer(make_config(batch__micro=micro)))
        for a, b in zip(whole, parts, strict=True):
            assert b.loss == pytest.approx(a.loss, rel=1e-6)
            assert b.grad_norm == pytest.approx(a.grad_norm, rel=1e-4)
        for name, expected in parameters.items():
            torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-5)


def test_every_token_weighs_the_same_even_with_padding(make_config, make_trainer):
    """A pass's padded sequence among full ones: the mean is over tokens, not over sequences."""
    trainer = make_trainer(make_config(gradient_clipping="null", batch__micro=1))
    loader, length = trainer._loader, 16
    order, last = loader._order, loader.packing.sequences - 1
    place = next(i for i in range(loader.packing.sequences) if order[i] == last)
    first = place // 8 * 8
    batches = list(loader.micro_batches(range(first, first + 8), 1))
    [(inputs, targets)] = batches
    assert (targets == -100).any()
    assert (targets != -100).sum() < 8 * length
    reference = torch.nn.functional.cross_entropy(
        trainer.engine.module(inputs).flatten(0, 1), targets.flatten(), ignore_index=-100
    )
    grads = torch.autograd.grad(reference, list(trainer.engine.module.parameters()))
    norm = math.sqrt(sum(float(g.norm()) ** 2 for g in grads))
    result = trainer.step(StepPlan(1, range(first, first + 8), lr=0.01)).result
    assert result.loss == pytest.approx(reference.item(), rel=1e-6)
    assert result.grad_norm == pytest.approx(norm, rel=1e-5)


def test_the_norm_is_from_before_clipping(make_config, make_trainer):
    free = make_trainer(make_config(gradient_clipping="null"))
    bound = make_trainer(make_config(gradient_clipping=0.25))
    plan = StepPlan(1, range(8), lr=0.01)
    norm = free.step(plan).result.grad_norm
    assert norm > 0.25
    assert bound.step(plan).result.grad_norm == pytest.approx(norm)


def test_a_step_that_is_not_finite_is_skipped_and_changes_nothing(make_config, make_trainer):
    trainer = make_trainer(make_config())
    before = {name: p.detach().clone() for name, p in trainer.engine.module.named_parameters()}
    hook = trainer.engine.module.register_forward_hook(lambda _, __, logits: logits * math.nan)
    result = trainer.step(StepPlan(1, range(8), lr=0.01)).result
    assert result.skipped
    assert math.isnan(result.loss)
    for name, parameter in trainer.engine.module.named_parameters():
        assert torch.equal(parameter, before[name])
    hook.remove()
    assert not trainer.step(StepPlan(2, range(8, 16), lr=0.01)).result.skipped


def test_an_infinite_gradient_of_a_finite_loss_is_skipped_too(make_config, make_trainer):
    trainer = make_trainer(make_config())
    norm = trainer.engine.module.model.norm.weight
    norm.register_hook(lambda gradient: gradient * math.inf)
    before = norm.detach().clone()
    result = trainer.step(StepPlan(1, range(8), lr=0.01)).result
    assert result.skipped
    assert math.isfinite(result.loss)
    assert torch.equal(norm, before)
