"""Saved at one world size and stage, loaded at another: training goes on as if undisturbed."""

import itertools
import pickle
import resource
import signal

import pytest
import torch

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.save import LATEST
from raylm.core.errors import CheckpointError
from raylm.train.initialize import initialize
from tests.ranks import run_ranks
from tests.train.small_models import (
    Awkward,
    build,
    config_of,
    difference,
    loss_of,
    share_of,
    train_plainly,
)
from tests.train.test_engine import run

WORLDS = (1, 2, 3, 4)
BEFORE, AFTER = 3, 3


def save(rank, folder, stage, world, optimizer="adamw"):
    engine = initialize(build(), config_of(stage, world, optimizer={"name": optimizer, "lr": 1e-2}))
    run(engine, BEFORE)
    engine.save_checkpoint(folder, client_state={"note": "here"})
    states = engine.full_optimizer_state()
    engine.close()
    return states


def resume(rank, folder, stage, world, optimizer="adamw"):
    engine = initialize(build(), config_of(stage, world, optimizer={"name": optimizer, "lr": 1e-2}))
    _, client_state = engine.load_checkpoint(folder)
    assert client_state == {"note": "here"}
    assert engine.global_steps == BEFORE
    states = engine.full_optimizer_state()
    run(engine, AFTER, start=BEFORE)
    found = engine.full_state_dict()
    engine.close()
    return states, found


@pytest.mark.parametrize("world", WORLDS)
def test_any_world_size_and_stage_goes_on_from_any_other(world, tmp_path):
    """Every pair of world sizes, and over the four runs of this test every pair of stages."""
    expected, _ = train_plainly(BEFORE + AFTER)
    for stage in range(4):
        [saved, *_] = run_ranks(world, save, tmp_path / str(stage), stage, world)
        for place, other in enumerate(WORLDS):
            to_stage = (stage + world + place) % 4
            for states, found in run_ranks(other, resume, tmp_path / str(stage), to_stage, other):
                assert difference(found, expected) <= 1e-11, (stage, to_stage, other)
                for name, kind in [(n, k) for n, kinds in saved.items() for k in kinds]:
                    assert torch.equal(states[name][kind], saved[name][kind]), (name, kind)


@pytest.mark.parametrize("optimizer", ["muon", "adafactor", "sgd", "adagrad"])
def test_optimizers_of_whole_matrices_too(optimizer, tmp_path):
    [saved, *_] = run_ranks(3, save, tmp_path, 3, 3, optimizer)
    [(states, whole)] = run_ranks(1, resume, tmp_path, 0, 1, optimizer)
    [(_, found), *_] = run_ranks(2, resume, tmp_path, 1, 2, optimizer)
    assert states.keys() == saved.keys()
    assert difference(found, whole) <= 1e-11


def stop_midway(rank, folder, stage, world, micro_batches):
    engine = initialize(build(), config_of(stage, world, micro_batches))
    for tokens in share_of(0, rank, world, micro_batches):
        engine.backward(loss_of(engine, tokens))
        engine.step()
    for tokens in share_of(1, rank, world, micro_batches)[: micro_batches // 2]:
        engine.backward(loss_of(engine, tokens), tokens=tokens.numel())
        engine.step()
    engine.save_checkpoint(folder)
    engine.close()


def go_on_midway(rank, folder, stage, world, micro_batches):
    engine = initialize(build(), config_of(stage, world, micro_batches))
    engine.load_checkpoint(folder)
    shares = [t for r in range(2) for t in share_of(1, r, 2, 4)[2:]]  # what is left of the step
    for tokens in torch.cat(shares).chunk(world)[rank].chunk(micro_batches // 2):
        engine.backward(loss_of(engine, tokens), tokens=tokens.numel())
        engine.step()
    return engine.full_state_dict(), engine.global_steps


def test_in_the_middle_of_an_accumulation(tmp_path):
    expected, _ = train_plainly(2)
    for stage, other in itertools.product((0, 1, 2, 3), (0, 2, 3)):
        folder = tmp_path / f"{stage}-{other}"
        run_ranks(2, stop_midway, folder, stage, 2, 4)
        for world, micro_batches in ((2, 4), (4, 2), (1, 8)):
            for found, steps in run_ranks(world, go_on_midway, folder, other, world, micro_batches):
                assert steps == 2
                assert difference(found, expected) <= 1e-11, (stage, other, world)


def saves_once(rank, folder):
    engine = initialize(build(), config_of(2, 2))
    run(engine, 2)
    engine.save_checkpoint(folder, wait=False)
    run(engine, 3, start=2)
    return [(saved.step, saved.error) for saved in [*engine.saved(), *engine.finish_saving()]]


def test_the_loop_goes_on_while_a_checkpoint_is_written(tmp_path):
    first, _ = run_ranks(2, saves_once, tmp_path)
    assert first == [(2, "")]
    assert Checkpoint.open(tmp_path).manifest.step == 2


def fill_the_disk(rank, folder):
    engine = initialize(build(), config_of(2, 2))
    run(engine, 1)
    engine.save_checkpoint(folder)
    if rank == 1:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
    run(engine, 1, start=1)
    engine.save_checkpoint(folder, wait=False)
    run(engine, 1, start=2)
    outcomes = [*engine.saved(), *engine.finish_saving()]
    run(engine, 1, start=3)
    return [saved.error for saved in outcomes], engine.global_steps


def test_a_full_disk_is_an_event_and_the_last_checkpoint_stays(tmp_path):
    (errors, steps), _ = run_ranks(2, fill_the_disk, tmp_path)
    assert steps == 4
    [error] = errors
    assert "could not write" in error
    assert Checkpoint.open(tmp_path).manifest.step == 1
    assert not list(tmp_path.glob(".draft-step*"))


def failing_load(rank, folder, model):
    engine = initialize(model, config_of(1, 2))
    with pytest.raises(CheckpointError) as caught:
        engine.load_checkpoint(folder)
    return str(caught.value)


class Wider(Awkward):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(2))


def test_what_does_not_fit_is_named_on_every_rank(tmp_path):
    run_ranks(2, save, tmp_path, 3, 2)
    for model, words in (
        (Awkward(layers=4).double(), ("'blocks.3.", "is missing from the checkpoint")),
        (Awkward(layers=2).double(), ("'blocks.2.", "is not in the model")),
        (Wider().double(), ("param/scale", "shape (1,)", "expected (2,)")),
    ):
        for message in run_ranks(2, failing_load, tmp_path, model):
            assert all(word in message for word in words), message
    shard = next((tmp_path / LATEST).resolve().glob("shard-00001*.safetensors"))
    whole = shard.read_bytes()
    for content in (whole[:-1], b"", pickle.dumps({"a": 1}).ljust(len(whole)), whole[::-1]):
        shard.write_bytes(content)
        for message in run_ranks(2, failing_load, tmp_path, build()):
            assert shard.name in message
    shard.write_bytes(whole)
    for message in run_ranks(2, failing_load, tmp_path / "elsewhere", build()):
        assert "neither a checkpoint nor a run" in message


def schedule(rank, folder, is_resumed):
    model = build()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    engine = initialize(model, config_of(2, 2), optimizer=optimizer, lr_scheduler=scheduler)
    if is_resumed:
        engine.load_checkpoint(folder)
        drawn = torch.rand(1).item()
    else:
        torch.manual_seed(rank)
        run(engine, 3)
        engine.save_checkpoint(folder)
        drawn = torch.rand(1).item()
    rates = [engine.lr]
    run(engine, 1, start=3)
    rates.append(engine.lr)
    return rates, drawn


def test_a_users_scheduler_and_the_random_state_go_on(tmp_path):
    first = run_ranks(2, schedule, tmp_path, False)
    second = run_ranks(2, schedule, tmp_path, True)
    assert [rates for rates, _ in first] == [[0.05, 0.025]] * 2
    assert second[0][0][1] == 0.025
    assert [drawn for _, drawn in first] == [drawn for _, drawn in second]


SCALING = {"initial_power": 10, "window": 2, "hysteresis": 2}
SCHEDULE = {"name": "cosine", "total_steps": 9, "warmup_steps": 2}


def half_config(stage, world, precision):
    return config_of(
        stage,
        world,
        precision=precision,
        loss_scale=SCALING,
        schedule=SCHEDULE,
        gradient_dtype="fp32",
    )


def go_on_in_half(rank, folder, stage, world, precision, saves):
    """Step 2 overflows in fp16; the state after step 4 and after step 7."""
    engine = initialize(build(torch.float32), half_config(stage, world, precision))
    if not saves:
        engine.load_checkpoint(folder)
    for step in range(engine.global_steps, 4):
        loss = loss_of(engine, *share_of(step, rank, world))
        engine.backward(loss * (1e7 if step == 1 and precision == "fp16" else 1.0))
        engine.step()
    if saves:
        engine.save_checkpoint(folder)
    states = [state_of(engine)]
    run(engine, 3, start=4)
    states.append(state_of(engine))
    engine.close()
    return states


def state_of(engine):
    numbers = engine.loss_scaler.state() | {
        "steps": engine.global_steps,
        "skipped": engine.skipped_steps,
        "lr": engine.lr,
    }
    is_here = engine.sharding.stage < 3
    held = {n: p.clone() for n, p in engine.module.named_parameters() if is_here}
    return numbers, engine.full_state_dict(), engine.full_optimizer_state(), held


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_master_copies_and_the_loss_scale_go_on_to_the_bit(precision, tmp_path):
    for stage in range(4):
        folder = tmp_path / str(stage)
        [saved, *_] = run_ranks(2, go_on_in_half, folder, stage, 2, precision, True)
        again = run_ranks(2, go_on_in_half, folder, stage, 2, precision, False)
        other = run_ranks(3, go_on_in_half, folder, 3 - stage, 3, precision, False)
        assert saved[0][0]["skipped"] == (precision == "fp16")
        assert saved[0][0]["lr"] != saved[1][0]["lr"]
        for found in again:
            assert_same_state(found[0], saved[0])
            assert_same_state(found[1], saved[1])
        for found in other:
            assert_same_state(found[0], saved[0])
            assert found[1][0] == saved[1][0]
            assert difference(found[1][1], saved[1][1]) <= 3e-2


def assert_same_state(found, saved):
    assert found[0] == saved[0]
    assert found[2].keys() == saved[2].keys()
    for first, second in (
        (found[1], saved[1]),
        *((found[2][name], kinds) for name, kinds in saved[2].items()),
    ):
        assert first.keys() == second.keys()
        for name, value in second.items():
            assert torch.equal(first[name], value), name
    for name in found[3].keys() & saved[3].keys():
        assert torch.equal(found[3][name], saved[3][name]), name


def save_often(rank, folder):
    engine = initialize(build(), config_of(2, 2))
    reported = []
    for step in range(3):
        run(engine, 1, start=step)
        engine.save_checkpoint(folder, tag=f"mine-{step}", wait=False)
        reported += engine.saved()
    with pytest.raises(CheckpointError, match=r"client_state.*JSON.*object"):
        engine.save_checkpoint(folder, tag="bad", client_state={"x": object()})
    reported += engine.finish_saving()
    before = engine.full_state_dict()
    path, _ = engine.load_checkpoint(folder, tag="mine-0")
    assert (path.name, engine.global_steps) == ("mine-0", 1)
    engine.load_checkpoint(folder)
    assert engine.global_steps == 3
    after = engine.full_state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(CheckpointError, match="mine-7"):
        engine.load_checkpoint(folder, tag="mine-7")
    run(engine, 1, start=3)
    return [
        (saved.step, saved.folder.name, saved.error) for saved in reported
    ], engine.full_state_dict()


def test_saves_that_overtake_each_other_and_tags(tmp_path):
    expected, _ = train_plainly(4)
    (reported, found), (_, other) = run_ranks(2, save_often, tmp_path)
    assert reported == [(n + 1, f"mine-{n}", "") for n in range(3)]
    assert difference(found, expected) <= 1e-11
    assert difference(other, expected) <= 1e-11
    assert not list(tmp_path.glob(".draft*"))


def change_optimizer(rank, folder, name, with_optimizer):
    engine = initialize(
        build(), config_of(3, 2, optimizer={"name": name, "lr": 1e-2, "momentum": 0.9})
    )
    try:
        engine.load_checkpoint(folder, with_optimizer=with_optimizer)
    except CheckpointError as error:
        return str(error)
    found = engine.full_state_dict(), engine.global_steps
    run(engine, 1)
    return found


def test_weights_alone_go_to_another_optimizer(tmp_path):
    run_ranks(3, save, tmp_path, 2, 3, "adamw")
    expected, _ = train_plainly(BEFORE)
    for found, steps in run_ranks(2, change_optimizer, tmp_path, "sgd", False):
        assert steps == 0
        assert difference(found, expected) <= 1e-11


def test_another_optimizers_state_is_refused_with_its_name(tmp_path):
    run_ranks(2, save, tmp_path, 2, 2, "adagrad")
    for message in run_ranks(2, change_optimizer, tmp_path, "adamw", True):
        assert isinstance(message, str)
        assert "state of Adagrad, which AdamW cannot" in message
        assert "with_optimizer=False" in message
