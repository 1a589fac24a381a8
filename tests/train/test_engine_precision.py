"""16-bit parameters with an fp32 master copy, loss scaling, autocast."""

import pytest
import torch

from raylm.train.initialize import initialize
from tests.ranks import run_ranks
from tests.train.small_models import build, config_of, loss_of, share_of, tokens_of

F32 = torch.float32


def test_bf16_is_an_fp32_update_of_bf16_gradients_bit_for_bit():
    engine = initialize(build(F32), config_of(2, 1, precision="bf16"))
    model = build(F32)
    masters = [p for p in model.parameters() if p.requires_grad and p.numel()]
    copies = [p.detach().clone() for p in masters]
    groups = [
        {"params": [p for p in copies if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in copies if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), fused=True)
    half = build(F32).bfloat16()
    halves = [p for p in half.parameters() if p.requires_grad and p.numel()]
    for step in range(4):
        engine.backward(loss_of(engine, tokens_of(step)))
        engine.step()
        half.zero_grad()
        loss_of(half, tokens_of(step)).float().backward()
        for copy, parameter in zip(copies, halves, strict=True):
            copy.grad = None if parameter.grad is None else parameter.grad.float()
        optimizer.step()
        for copy, parameter in zip(copies, halves, strict=True):
            parameter.data.copy_(copy)
    assert engine.module.embed.weight.dtype == torch.bfloat16
    found = engine.full_state_dict()
    names = [n for n, p in half.named_parameters() if p.requires_grad and p.numel()]
    for name, copy in zip(names, copies, strict=True):
        assert found[name].dtype == F32
        assert torch.equal(found[name], copy), name


def overflow(rank, stage):
    settings = {"initial_power": 4, "window": 2, "hysteresis": 1}
    engine = initialize(build(F32), config_of(stage, 2, precision="fp16", loss_scale=settings))
    scales, same = [], []
    for step in range(6):
        before = engine.full_state_dict()
        loss = loss_of(engine, *share_of(step, rank, 2))
        engine.backward(loss * (1e30 if rank == 1 and step == 2 else 1.0))
        engine.step()
        after = engine.full_state_dict()
        scales.append(engine.loss_scale)
        same.append(all(torch.equal(before[name], after[name]) for name in before))
    return scales, same, engine.skipped_steps


@pytest.mark.parametrize("stage", range(4))
def test_an_overflow_on_one_rank_skips_the_step_on_all_and_halves_the_scale(stage):
    for scales, same, skipped in run_ranks(2, overflow, stage):
        assert same == [False, False, True, False, False, False]
        assert skipped == 1
        assert scales == [16.0, 16.0, 8.0, 8.0, 8.0, 16.0]


def stages_agree(rank, precision, changes):
    found = []
    for stage in range(4):
        engine = initialize(build(F32), config_of(stage, 2, precision=precision, **changes))
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
    engine = initialize(build(F32), config_of(0, 1, precision="auto"))
    assert engine.precision.reason
