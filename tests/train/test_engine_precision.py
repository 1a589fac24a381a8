"""bf16, fp16 and autocast against the same arithmetic written by hand in one process."""

import math

import pytest
import torch

from raylm.core.errors import DivergenceError
from raylm.train.initialize import initialize
from tests.ranks import run_ranks
from tests.train.small_models import build, config_of, loss_of, share_of, tokens_of

STAGES = (0, 1, 2, 3)
STEPS = 6


def train(engine, steps=STEPS, start=0):
    losses = []
    for step in range(start, start + steps):
        loss = loss_of(engine, *share_of(step, engine.rank, engine.world_size))
        engine.backward(loss)
        engine.step()
        losses.append(engine.mean_loss)
    return losses


def train_half(rank, world, changes):
    found = {}
    for stage in STAGES:
        engine = initialize(build(torch.float32), config_of(stage, world, **changes))
        losses = train(engine)
        dtypes = {p.dtype for p in engine.module.parameters()}
        found[stage] = engine.full_state_dict(), losses, dtypes, engine.grad_norm
        engine.close()
    return found


def by_hand(dtype, clip, scale=1.0):
    """Half-precision parameters beside a float32 master copy that AdamW updates."""
    master, model = build(torch.float32), build(torch.float32).to(dtype)
    trained = [p for p in master.parameters() if p.requires_grad]
    halves = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), fused=True)
    losses = []
    for step in range(STEPS):
        model.zero_grad()
        loss = loss_of(model, tokens_of(step))
        (loss.float() * scale).backward()
        for whole, half in zip(trained, halves, strict=True):
            whole.grad = None if half.grad is None else half.grad.float() / scale
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(trained, clip)
        optimizer.step()
        with torch.no_grad():
            for whole, half in zip(trained, halves, strict=True):
                half.copy_(whole)
        losses.append(loss.item())
    return {name: p.detach() for name, p in master.named_parameters()}, losses


def gap(found, expected):
    gaps = [(found[n].float() - p).abs().max().item() for n, p in expected.items() if p.numel()]
    return max(gaps)


@pytest.mark.parametrize(
    ("name", "dtype", "scale"),
    [("bf16", torch.bfloat16, 1.0), ("fp16", torch.float16, 1024.0)],
)
def test_half_precision_with_a_master_copy_is_the_one_written_by_hand(name, dtype, scale):
    expected, losses = by_hand(dtype, None, scale)
    changes = {"precision": name, "loss_scale": {"static": scale}}
    [alone] = run_ranks(1, train_half, 1, changes)
    for stage, (parameters, found, dtypes, _) in alone.items():
        assert dtypes == {dtype}
        assert found == losses
        for each, value in expected.items():
            value = value.to(dtype).float() if each.startswith("frozen") else value
            assert parameters[each].dtype == torch.float32
            assert torch.equal(parameters[each], value), (stage, each)
    for rank in run_ranks(3, train_half, 3, changes):
        for stage, (parameters, found, _, _) in rank.items():
            assert found == pytest.approx(losses, rel=2e-2)
            assert gap(parameters, expected) <= 3e-2, stage  # at most 6 steps of 1e-2


def stages_agree(rank, precision, changes):
    found = []
    for stage in range(4):
        engine = initialize(
            build(torch.float32), config_of(stage, 2, precision=precision, **changes)
        )
        for step in range(3):
            engine.backward(loss_of(engine, *share_of(step, rank, 2)))
            engine.step()
        found.append((engine.full_state_dict(), engine.memory_report(), engine.grad_norm))
        engine.close()
    return found


@pytest.mark.parametrize(
    ("precision", "changes"),
    [
        ("bf16", {}),
        ("bf16", {"gradient_dtype": "fp32"}),
        ("bf16", {"autocast": True}),
        ("fp16", {}),
    ],
)
def test_every_stage_gives_the_same_bits(precision, changes):
    for first, *others in run_ranks(2, stages_agree, precision, changes):
        for parameters, _, norm in others:
            assert norm == pytest.approx(first[2], rel=1e-5)
            assert all(torch.equal(parameters[n], first[0][n]) for n in parameters)


def test_auto_says_why():
    engine = initialize(build(torch.float32), config_of(0, 1, precision="auto"))
    assert engine.precision.reason


class Chosen(torch.nn.Module):
    """The gradient of `weight` is the input's mean: what the ranks sum is known exactly."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(4))

    def forward(self, x):
        return (self.weight * x).sum()


def sum_exactly(rank, gradient_dtype):
    found = {}
    for stage in STAGES:
        config = {"batch": {"micro": 1, "global": 8}, "gradient_clipping": None}
        config |= {"precision": "bf16", "gradient_dtype": gradient_dtype, "zero": {"stage": stage}}
        engine = initialize(Chosen(), config)
        for number in range(4):  # 256 + 1 is not a bf16 number; 256 + 7 is not either
            value = 256.0 if number == 0 and rank == 0 else 1.0
            engine.backward(engine(torch.full((4,), value)) * 8)
            if number == 3:
                found[stage] = engine.get_full_grad("weight")
            engine.step()
        found[stage, "norm"] = engine.grad_norm
        engine.close()
    return found


def test_gradients_add_up_in_the_dtype_that_is_asked_for():
    for found in run_ranks(2, sum_exactly, "fp32"):
        for stage in STAGES:
            assert torch.equal(found[stage], torch.full((4,), 263.0))
            assert found[stage, "norm"] == pytest.approx(2 * 263.0, rel=1e-6)
    for found in run_ranks(2, sum_exactly, "auto"):
        for stage in STAGES:
            assert not torch.equal(found[stage], torch.full((4,), 263.0))


def overflow(rank, world):
    """Steps 2, 3 and 6 overflow on the last rank alone."""
    found = {}
    scaling = {"initial_power": 10, "window": 2, "hysteresis": 2, "minimum": 256.0}
    for stage in STAGES:
        config = config_of(stage, world, precision="fp16", loss_scale=scaling)
        engine = initialize(build(torch.float32), config)
        history, same = [], []
        for step in range(12):
            before = engine.full_state_dict(), engine.full_optimizer_state()
            loss = loss_of(engine, *share_of(step, rank, world))
            bad = step in (2, 3, 6, 7, 8) and rank == world - 1
            engine.backward(loss * (1e7 if bad else 1.0))  # finite as it is, not in fp16
            engine.step()
            if step in (2, 3, 6, 7, 8):
                after = engine.full_state_dict(), engine.full_optimizer_state()
                same.append(_equal(before, after) and engine.was_skipped)
            history.append((engine.loss_scale, engine.skipped_steps))
        found[stage] = history, same, engine.full_state_dict(), engine.global_steps
        engine.close()
    return found


def _equal(first, second):
    states = [
        torch.equal(first[1][name][kind], second[1][name][kind])
        for name in first[1]
        for kind in first[1][name]
    ]
    return all(states) and all(torch.equal(first[0][n], second[0][n]) for n in first[0])


def test_an_overflow_on_one_rank_skips_the_step_on_all():
    results = run_ranks(3, overflow, 3)
    for found in results:
        for stage in STAGES:
            history, same, parameters, steps = found[stage]
            assert same == [True] * 5
            assert steps == 12
            assert [skipped for _, skipped in history] == [0, 0, 1, 2, 2, 2, 3, 4, 5, 5, 5, 5]
            scales = [1024, 1024, 1024, 512, 512, 512, 256, 256, 256, 256, 256, 512]
            assert [scale for scale, _ in history] == scales, stage
            assert all(torch.isfinite(p).all() for p in parameters.values())
            for name, value in results[0][stage][2].items():
                assert torch.equal(parameters[name], value)


def diverge(rank):
    found = []
    for stage in STAGES:
        scaling = {"initial_power": 4, "hysteresis": 1}
        changes = {"precision": "fp16", "loss_scale": scaling, "max_skipped_in_a_row": 3}
        engine = initialize(build(torch.float32), config_of(stage, 2, **changes))
        train(engine, 1)
        before = engine.full_state_dict()
        for step in range(1, 9):
            loss = loss_of(engine, *share_of(step, rank, 2))
            is_bad = step != 3 and rank == 0  # two in a row, a good one, three in a row
            try:
                engine.backward(loss * (math.inf if is_bad else 1.0))
                engine.step()
            except DivergenceError as error:
                found.append((step, engine.skipped_steps, str(error)))
                break
        after = engine.full_state_dict()
        assert any(not torch.equal(before[n], after[n]) for n in before)
        engine.set_lr(1e-3)  # whoever goes on after all gets a step like any other
        train(engine, 1, start=20)
        assert math.isfinite(engine.grad_norm)
        assert not engine.was_skipped
        engine.close()
    return found


def test_too_many_skipped_steps_in_a_row_end_the_run_with_the_step():
    for found in run_ranks(2, diverge):
        assert [(step, skipped) for step, skipped, _ in found] == [(6, 5)] * 4
        for *_, message in found:
            assert "step 7" in message
            assert "3 steps in a row" in message


def autocast(rank, world):
    found = {}
    for stage in STAGES:
        config = config_of(stage, world, precision="bf16", autocast=True)
        engine = initialize(build(torch.float32), config)
        with torch.no_grad():
            logits = engine(tokens_of(0)).logits
        losses = train(engine)
        dtypes = {p.dtype for p in engine.module.parameters()}
        found[stage] = engine.full_state_dict(), losses, dtypes, logits.dtype
        engine.close()
    return found


def test_autocast_keeps_parameters_in_fp32_and_computes_in_bf16():
    model = build(torch.float32)
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
    in_bf16 = torch.autocast("cpu", torch.bfloat16)(model)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(in_bf16, tokens_of(step))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    expected = {name: p.detach() for name, p in model.named_parameters()}
    for world, bound in ((1, 1e-6), (2, 3e-2)):
        for found in run_ranks(world, autocast, world):
            for parameters, found_losses, dtypes, computed_in in found.values():
                assert dtypes == {torch.float32}
                assert computed_in == torch.bfloat16
                assert gap(parameters, expected) <= bound
                assert found_losses == pytest.approx(losses, rel=2e-2)
