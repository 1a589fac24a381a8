"""The engine against plain torch in one process, on a model with every awkward thing in it."""

import itertools
import math
import warnings

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from raylm.core.errors import ConfigError, DivergenceError, RayLMError
from raylm.train.initialize import initialize
from tests.ranks import run_ranks
from tests.train.small_models import (
    Awkward,
    build,
    config_of,
    difference,
    loss_of,
    share_of,
    skips,
    tokens_of,
    train_plainly,
)

STAGES = (0, 1, 2, 3)


def run(engine, steps, micro_batches=1, start=0):
    norms = []
    for step in range(start, start + steps):
        for tokens in share_of(step, engine.rank, engine.world_size, micro_batches):
            engine.backward(loss_of(engine, tokens, skip=skips(step)))
            engine.step()
        norms.append(engine.grad_norm)
    return norms


def train_matrix(rank, world, dtype, steps, clip):
    results = {}
    for stage, micro_batches in itertools.product(STAGES, (1, 4)):
        config = config_of(stage, world, micro_batches, gradient_clipping=clip)
        engine = initialize(build(dtype), config)
        norms = run(engine, steps, micro_batches)
        results[stage, micro_batches] = engine.full_state_dict(), norms
        engine.close()
    return results


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("dtype", "clip", "bound"),
    [(torch.float64, 0.5, 1e-11), (torch.float64, None, 1e-11), (torch.float32, None, 1e-5)],
)
def test_every_stage_is_plain_training_on_the_whole_batch(world, dtype, clip, bound):
    expected, norms = train_plainly(20, clip, dtype)
    for found in run_ranks(world, train_matrix, world, dtype, 20, clip):
        for case, (parameters, found_norms) in found.items():
            assert difference(parameters, expected) <= bound, case
            assert found_norms == pytest.approx(norms, rel=bound * 100)


def gradients_of(rank, stage, world, act):
    """Of a step whose backward passes `act` makes, as the engine sees them before the update."""
    engine = initialize(build(), config_of(stage, world))
    act(engine, rank)
    names = [n for n, p in engine.module.named_parameters() if p.requires_grad and p.numel()]
    found = {name: engine.get_full_grad(name) for name in names}
    engine.step()
    assert all(math.isfinite(float(p.sum())) for p in engine.full_state_dict().values())
    engine.close()
    return found


def plain_gradients(*losses):
    model = build()
    sum(loss(model) for loss in losses).backward()
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad and p.numel()}


def compare(world, act, *losses):
    expected = plain_gradients(*losses)
    for stage in STAGES:
        for found in run_ranks(world, gradients_of, stage, world, act):
            for name, gradient in expected.items():
                if gradient is None:
                    assert found[name] is None, (stage, name)
                else:
                    torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-13)


def test_several_forwards_before_one_backward():
    def act(engine, rank):
        [tokens] = share_of(0, rank, engine.world_size)
        first, second = loss_of(engine, tokens), loss_of(engine, tokens, skip=True)
        engine.backward(first + second)

    def both(model):
        return loss_of(model, tokens_of(0)) + loss_of(model, tokens_of(0), skip=True)

    compare(2, act, both)


def test_several_backwards_in_one_step_add_up():
    def act(engine, rank):
        [tokens] = share_of(0, rank, engine.world_size)
        engine.backward(loss_of(engine, tokens))
        engine.backward(loss_of(engine, tokens, skip=True))

    compare(
        3, act, lambda m: loss_of(m, tokens_of(0)), lambda m: loss_of(m, tokens_of(0), skip=True)
    )


def test_no_sync_adds_up_as_in_ddp_and_a_step_inside_is_refused():
    def act(engine, rank):
        [tokens] = share_of(0, rank, engine.world_size)
        with engine.no_sync():
            engine.backward(loss_of(engine, tokens))
            if engine.world_size > 1:
                with pytest.raises(RayLMError, match="outside of no_sync"):
                    engine.step()
        engine.backward(loss_of(engine, tokens, skip=True))

    compare(
        2, act, lambda m: loss_of(m, tokens_of(0)), lambda m: loss_of(m, tokens_of(0), skip=True)
    )


def test_every_token_weighs_the_same():
    """Rank 0 has 2 sequences and rank 1 has 10: the mean is over tokens, not over ranks."""

    def act(engine, rank):
        tokens = tokens_of(0)[:2] if rank == 0 else tokens_of(0)[2:]
        engine.backward(loss_of(engine, tokens), tokens=tokens[:, 1:].numel())

    compare(2, act, lambda m: loss_of(m, tokens_of(0)))


def test_ranks_may_use_different_modules():
    """In shared memory nobody has to take part in another's gather."""

    def act(engine, rank):
        [tokens] = share_of(0, rank, engine.world_size)
        engine.backward(loss_of(engine, tokens, skip=rank == 1))

    def halves(model):
        first, second = tokens_of(0).chunk(2)
        return (loss_of(model, first) + loss_of(model, second, skip=True)) / 2

    compare(2, act, halves)


@pytest.mark.parametrize("reentrant", [False, True])
def test_activation_checkpointing(reentrant):
    class Recomputed(torch.nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block = block

        def forward(self, x):
            run = lambda x: self.block(x)["x"]  # noqa: E731
            return {"x": checkpoint(run, x, use_reentrant=reentrant)}

    def gradients(rank, stage):
        model = build()
        model.blocks = torch.nn.ModuleList(Recomputed(block) for block in model.blocks)
        engine = initialize(model, config_of(stage, 2))
        for _ in range(2):  # the second pass prefetches
            engine.backward(loss_of(engine, *share_of(0, rank, 2)))
            found = engine.get_full_grad("blocks.0.block.up.weight")
            engine.accumulation.restart()
            engine.sharding.reducer.clear()
        engine.close()
        return found

    expected = plain_gradients(lambda m: loss_of(m, tokens_of(0)))["blocks.0.up.weight"]
    for stage in STAGES:
        for found in run_ranks(2, gradients, stage):
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-13)


def combined(rank, stage):
    first = initialize(build(), config_of(stage, 2))
    second = initialize(build(), config_of(stage, 2))
    [tokens] = share_of(0, rank, 2)
    first.backward(loss_of(first, tokens) * loss_of(second, tokens))
    found = [engine.get_full_grad("blocks.0.up.weight") for engine in (first, second)]
    for engine in (first, second):
        engine.step()
        engine.close()
    return found


def test_two_engines_may_share_a_loss():
    one, two = build(), build()
    losses = [loss_of(one, t) * loss_of(two, t) for t in tokens_of(0).chunk(2)]
    (sum(losses) / 2).backward()
    for stage in STAGES:
        for found in run_ranks(2, combined, stage):
            for gradient, model in zip(found, (one, two), strict=True):
                torch.testing.assert_close(gradient, model.blocks[0].up.weight.grad)


def evaluate_between(rank, stage):
    engine = initialize(build(), config_of(stage, 2))
    losses = []
    for step in range(4):
        run(engine, 1, start=step)
        with torch.no_grad():
            losses.append(float(loss_of(engine.eval(), tokens_of(99))))
        engine.train()
    gathered = engine.memory_report().gathered_bytes
    return engine.full_state_dict(), losses, gathered


def test_evaluation_between_steps_changes_nothing():
    expected, _ = train_plainly(4)
    model = Awkward().double()
    model.load_state_dict(expected)
    final = loss_of(model, tokens_of(99)).item()
    for stage in STAGES:
        for parameters, losses, gathered in run_ranks(2, evaluate_between, stage):
            assert difference(parameters, expected) <= 1e-11
            assert losses[-1] == pytest.approx(final, rel=1e-10)
            assert gathered == 0


def recover(rank, stage):
    engine = initialize(build(), config_of(stage, 2))

    def fail(*_):
        raise ValueError("odd")

    hook = engine.module.blocks[1].register_forward_hook(fail)
    with pytest.raises(ValueError, match="odd"):
        loss_of(engine, *share_of(0, rank, 2))
    hook.remove()
    loss = loss_of(engine, *share_of(0, rank, 2))
    loss.register_hook(fail)
    with pytest.raises(ValueError, match="odd"):
        engine.backward(loss)
    run(engine, 3)
    return engine.full_state_dict()


def test_training_goes_on_after_an_error_in_forward_or_backward():
    expected, _ = train_plainly(3)
    for stage in STAGES:
        for found in run_ranks(2, recover, stage):
            assert difference(found, expected) <= 1e-11


def test_backward_without_the_engine_is_a_clear_error():
    engine = initialize(build(), config_of(3, 1))
    with pytest.raises(RayLMError, match=r"call engine.backward\(loss\)"):
        loss_of(engine, tokens_of(0)).backward()
    with pytest.raises(RayLMError, match="must be a scalar"):
        engine.backward(torch.ones(2))


READERS = (
    torch.clone,
    torch.mean,
    torch.Tensor.detach,
    torch.Tensor.tolist,
    lambda parameter: parameter.data,
    lambda parameter: parameter + 1.0,
    lambda parameter: torch.nn.utils.parameters_to_vector([parameter]),
)


def test_a_sharded_parameter_read_outside_of_a_pass_is_a_clear_error():
    model = build()
    expected = sum(p.numel() for p in model.parameters())
    engine = initialize(model, config_of(3, 1))
    name, parameter = next(iter(model.named_parameters()))
    for read in READERS:
        with pytest.raises(RayLMError, match=rf"{name} is sharded.*engine.get_full_param"):
            read(parameter)
    assert repr(parameter).startswith(f"{name}, sharded: shape=")
    assert sum(p.numel() for p in set(model.parameters())) == expected
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.grad is None
    torch.optim.SGD(model.parameters(), lr=0.1).zero_grad()
    run(engine, 1)
    assert isinstance(parameter, torch.nn.Parameter)


def diverge(rank, stage):
    engine = initialize(build(), config_of(stage, 2, max_skipped_in_a_row=3))
    before = engine.full_state_dict()
    messages = []
    for step in range(3):
        loss = loss_of(engine, *share_of(step, rank, 2))
        try:
            engine.backward(loss * (math.nan if rank == 1 else 1.0))
            engine.step()
        except DivergenceError as error:
            messages.append(str(error))
    after = engine.full_state_dict()
    same = all(torch.equal(before[name], after[name]) for name in before)
    return same, engine.skipped_steps, messages


def test_a_loss_that_is_not_finite_on_one_rank_skips_the_step_on_all():
    for stage in STAGES:
        for same, skipped, messages in run_ranks(2, diverge, stage):
            assert same
            assert skipped == 3
            [message] = messages
            assert "step 3" in message


def test_a_batch_that_does_not_divide_shows_the_arithmetic():
    with pytest.raises(ConfigError, match=r"batch.global 12 .* batch.micro 5 x workers 1 = 5"):
        initialize(build(), config_of(0, 1) | {"batch": {"global": 12, "micro": 5}})


def unit_names(rank):
    engine = initialize(build(), config_of(3, 1) | {"zero": {"stage": 3, "units": ["Block"]}})
    return [flat.label for flat in engine.sharding.flats]


def test_units_are_blocks_or_what_the_config_names():
    assert run_ranks(1, unit_names)[0].count("blocks.1") == 1
    with pytest.raises(ConfigError, match=r"no module of class .Blocc.*Block"):
        initialize(build(), config_of(3, 1) | {"zero": {"stage": 3, "units": ["Blocc"]}})


def compiled(rank, stage, whole):
    warnings.simplefilter("ignore")  # the compiler's own
    model = build()
    for block in model.blocks:
        block.forward = torch.compile(block.forward) if not whole else block.forward
    engine = initialize(torch.compile(model) if whole else model, config_of(stage, 2))
    run(engine, 3)
    found = engine.full_state_dict()
    return {name.removeprefix("_orig_mod."): value for name, value in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("stage", [1, 3])
def test_under_torch_compile(stage, whole):
    expected, _ = train_plainly(3)
    for found in run_ranks(2, compiled, stage, whole):
        assert difference(found, expected) <= 1e-11
