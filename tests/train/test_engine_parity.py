"""The engine against plain torch in one process, on what users do beyond a loop of steps."""

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from raylm.core.errors import RayLMError
from raylm.train.initialize import initialize
from tests.ranks import run_ranks

STAGES = (0, 1, 2, 3)
BATCH, WIDTH = 12, 6


@dataclass
class Pair:
    main: torch.Tensor
    more: dict


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(WIDTH, 7, bias=False)
        self.outer = nn.Linear(7, WIDTH, bias=False)

    def forward(self, x):
        hidden = torch.tanh(self.inner(x))
        return [hidden, x + self.outer(hidden)]


class Tupled(Listed):
    def forward(self, x):
        hidden, x = super().forward(x)
        return Pair(x, {"hidden": (hidden, None, 3)})


class Zoo(nn.Module):
    """A block that runs twice, a module under two names, a weight used outside its module,
    outputs in lists, tuples, dicts and dataclasses, sizes 0, 1 and odd, frozen and unused."""

    def __init__(self, reentrant=None):
        super().__init__()
        self.embed = nn.Embedding(5, WIDTH)
        self.blocks = nn.ModuleList([Listed(), Tupled(), Listed()])
        self.again = self.blocks[0]
        self.gain = nn.Parameter(torch.ones(1))
        self.scalar = nn.Parameter(torch.tensor(0.5))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.unused = nn.Linear(3, 5)
        self.frozen = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self.reentrant = reentrant

    def forward(self, tokens, which=0):
        self.calls += 1
        x = self.embed(tokens)
        x = self._run(lambda x: self.blocks[0](x)[1], x)
        if which != 1:
            x = self._run(lambda x: self.blocks[1](x).main, x)
        if which != 2:
            x = self._run(lambda x: self.blocks[2](x)[1], x)
        x = self.again(x)[1] * self.gain + torch.sigmoid(self.scalar)
        x = x + self.frozen(x)
        logits = F.linear(x, self.embed.weight)
        return {"logits": logits, "all": [x, (logits, Pair(x, {}))]}

    def _run(self, block, x):
        if self.reentrant is None:
            return block(x)
        return checkpoint(block, x, use_reentrant=self.reentrant)


def build(dtype=torch.float64, **options):
    torch.manual_seed(3)
    return Zoo(**options).to(dtype)


def batch(step):
    return torch.randint(0, 5, (BATCH, 4), generator=torch.Generator().manual_seed(step))


def share(step, engine):
    return batch(step).chunk(engine.world_size)[engine.rank]


def loss_of(model, tokens, which=0):
    return F.cross_entropy(
        model(tokens, which)["logits"][:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
    )


def config_of(stage, world, micro_batches=1, zero=None, **changes):
    return {
        "batch": {"micro": BATCH // world // micro_batches, "global": BATCH},
        "optimizer": {"lr": 1e-2},
        "gradient_clipping": None,
        "precision": "fp32",
        "zero": {"stage": stage, "bucket_bytes": 512, "prefetch_bytes": 512} | (zero or {}),
    } | changes


class Plain:
    """What the engine is compared with."""

    def __init__(self, dtype=torch.float64, clip=None):
        self.model, self.clip, self.norm = build(dtype), clip, 0.0
        trained = [p for p in self.model.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": 0.1},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.trained = trained
        self.optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))

    def step(self, *losses):
        self.optimizer.zero_grad()
        sum(losses).backward()
        clip = self.clip or float("inf")
        self.norm = float(nn.utils.clip_grad_norm_(self.trained, clip))
        self.optimizer.step()

    def check(self, found, bound, case=None):
        for name, parameter in self.model.named_parameters():
            assert found[name].shape == parameter.shape
            assert found[name].dtype == parameter.dtype
            if parameter.numel():
                assert (found[name] - parameter).abs().max() <= bound, (case, name)


def on_every_stage(world, function, *args, stages=STAGES):
    """`function(rank, engine, *args)` with an engine of each stage; stage -> results by rank."""

    def run(rank):
        found = {}
        for stage in stages:
            engine = initialize(build(), config_of(stage, world))
            found[stage] = function(engine, *args), engine.full_state_dict()
            engine.close()
        return found

    results = run_ranks(world, run)
    return [(stage, *found) for result in results for stage, found in result.items()]


def test_a_zoo_of_a_model_over_both_transports():
    steps, settings = 5, [{"prefetch_bytes": 0, "bucket_bytes": 8}, {"persistence_threshold": 60}]
    settings += [{"units": ["Zoo"], "bucket_bytes": 10**8}]

    def run(rank, world, link):
        found = {}
        for stage, zero in itertools.product(STAGES, settings):
            engine = initialize(
                build(), config_of(stage, world, zero=zero, gradient_clipping=0.3), link=link
            )
            norms = []
            for step in range(steps):
                engine.backward(loss_of(engine, share(step, engine), step % 3))
                engine.step()
                norms.append(engine.grad_norm)
            found[stage, str(zero)] = engine.full_state_dict(), norms
            assert not engine.memory_report().gathered_bytes
            engine.close()
        return found

    plain, norms = Plain(clip=0.3), []
    for step in range(steps):
        plain.step(loss_of(plain.model, batch(step), step % 3))
        norms.append(plain.norm)
    for world, link in ((1, "auto"), (3, "gloo"), (4, "shared memory")):
        for found in run_ranks(world, run, world, link):
            for case, (parameters, found_norms) in found.items():
                plain.check(parameters, 1e-11, (world, link, case))
                assert found_norms == pytest.approx(norms, rel=1e-10), (world, link, case)


def test_parameters_without_a_gradient_do_not_change_by_a_bit():
    def act(engine):
        before = {
            n: engine.get_full_param(n)
            for n in ("unused.weight", "frozen.weight", "blocks.1.inner.weight")
        }
        for step in range(3):
            engine.backward(loss_of(engine, share(step, engine), which=1))
            engine.step()
        return before, engine.get_full_grad("unused.weight"), engine.full_optimizer_state()

    for stage, (before, gradient, states), after in on_every_stage(3, act):
        assert gradient is None
        for name, value in before.items():
            assert torch.equal(after[name], value), (stage, name)
            assert not states.get(name), (stage, name)
        assert states["blocks.0.inner.weight"]["exp_avg"].shape == (7, WIDTH)


@pytest.mark.parametrize("reentrant", [False, True])
def test_recomputed_blocks_train_alike(reentrant):
    def run(rank):
        found = {}
        for stage in STAGES:
            engine = initialize(build(reentrant=reentrant), config_of(stage, 2))
            for step in range(4):
                engine.backward(loss_of(engine, share(step, engine), step % 3))
                engine.step()
            found[stage] = engine.full_state_dict()
            engine.close()
        return found

    plain = Plain()
    for step in range(4):
        plain.step(loss_of(plain.model, batch(step), step % 3))
    for found in run_ranks(2, run):
        for stage, parameters in found.items():
            plain.check(parameters, 1e-11, stage)


def test_more_reentrant_regions_than_ever_before_are_an_error_and_training_goes_on():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = (nn.Linear(3, 3, bias=False) for _ in range(2))

        def forward(self, x, times):
            for _ in range(times):
                x = checkpoint(lambda x: self.second(self.first(x)), x, use_reentrant=True)
            return x.square().mean()

    def run(rank):
        errors = []
        for stage in STAGES:
            torch.manual_seed(0)
            engine = initialize(Twice(), {"batch": {"micro": 1}, "zero": {"stage": stage}})
            for times in (1, 2, 2, 1):
                x = torch.ones(2, 3, requires_grad=True)
                try:
                    engine.backward(engine(x, times))
                except RayLMError as error:
                    errors.append(str(error))
                else:
                    engine.step()
            assert engine.global_steps == 3
            engine.close()
        return errors

    for errors in run_ranks(2, run):
        assert len(errors) == len(STAGES)
        assert all("use_reentrant=False" in error for error in errors)


def test_ranks_that_run_different_blocks_over_several_steps():
    def act(engine):
        for step in range(4):
            engine.backward(loss_of(engine, share(step, engine), (step + engine.rank) % 3))
            engine.step()

    plain = Plain()
    for step in range(4):
        parts = enumerate(batch(step).chunk(3))
        plain.step(*[loss_of(plain.model, t, (step + rank) % 3) / 3 for rank, t in parts])
    for stage, _, found in on_every_stage(3, act):
        plain.check(found, 1e-11, stage)


def test_no_sync_backwards_in_several_steps():
    """The loss that is passed counts, as in DDP: two passes in a step are summed."""

    def act(engine):
        for step in range(3):
            tokens = share(step, engine)
            with engine.no_sync():
                for which in (0, 1):
                    engine.backward(loss_of(engine, tokens, which))
            engine.backward(loss_of(engine, tokens, 2))
            engine.step()
            assert engine.global_steps == step + 1

    plain = Plain()
    for step in range(3):
        plain.step(*[loss_of(plain.model, batch(step), which) for which in (0, 1, 2)])
    for stage, _, found in on_every_stage(2, act):
        plain.check(found, 1e-11, stage)


def test_no_sync_within_accumulation():
    def run(rank):
        found = {}
        for stage in STAGES:
            engine = initialize(build(), config_of(stage, 2, micro_batches=3))
            for step in range(3):
                for number, tokens in enumerate(share(step, engine).chunk(3)):
                    assert engine.is_gradient_accumulation_boundary() == (number == 2)
                    if number < 2:
                        with engine.no_sync():
                            engine.backward(loss_of(engine, tokens))
                    else:
                        engine.backward(loss_of(engine, tokens))
                    engine.step()
            found[stage] = engine.full_state_dict(), engine.global_steps
            engine.close()
        return found

    plain = Plain()
    for step in range(3):
        plain.step(loss_of(plain.model, batch(step)))
    for found in run_ranks(2, run):
        for stage, (parameters, steps) in found.items():
            assert steps == 3
            plain.check(parameters, 1e-11, stage)


def test_tokens_weigh_the_same_over_ranks_micro_batches_and_steps():
    """Rows are dealt out unevenly, one micro-batch has none of the counted tokens."""
    cuts = {0: (1, 4), 1: (4, 9), 2: (9, 9), 3: (9, 12), 4: (0, 1), 5: (9, 9)}

    def masked(model, tokens):
        logits = model(tokens)["logits"][:, :-1]
        losses = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return losses.sum() / max(1, losses.numel())

    def run(rank):
        found = {}
        for stage in STAGES:
            engine = initialize(build(), config_of(stage, 3, 2, gradient_clipping=0.2))
            norms, losses = [], []
            for step in range(3):
                for number in range(2):
                    begin, end = cuts[rank * 2 + number]
                    tokens = batch(step)[begin:end]
                    count = tokens[:, 1:].numel()
                    engine.backward(masked(engine, tokens), tokens=count)
                    engine.step()
                norms.append(engine.grad_norm)
                losses.append(engine.mean_loss)
            found[stage] = engine.full_state_dict(), norms, losses
            engine.close()
        return found

    plain, norms, losses = Plain(clip=0.2), [], []
    for step in range(3):
        loss = masked(plain.model, batch(step))
        losses.append(loss.item())
        plain.step(loss)
        norms.append(plain.norm)
    for found in run_ranks(3, run):
        for stage, (parameters, found_norms, found_losses) in found.items():
            plain.check(parameters, 1e-11, stage)
            assert found_norms == pytest.approx(norms, rel=1e-10)
            assert found_losses == pytest.approx(losses, rel=1e-10)


def test_an_error_in_backward_begins_the_step_anew():
    """In the middle of a token-weighted accumulation; nothing of the failed passes remains."""

    def run(rank):
        found = {}
        for stage in STAGES:
            engine = initialize(build(), config_of(stage, 2, micro_batches=3))
            parts = share(0, engine).chunk(3)

            def fail(*_):
                raise ValueError("odd")

            engine.backward(loss_of(engine, parts[0]), tokens=parts[0].numel())
            engine.step()
            hook = engine.module.blocks[1].inner.weight.register_hook(fail)
            with pytest.raises(ValueError, match="odd"):
                engine.backward(loss_of(engine, parts[1]), tokens=parts[1].numel())
            hook.remove()
            for tokens in parts:
                engine.backward(loss_of(engine, tokens), tokens=tokens.numel())
                engine.step()
            found[stage] = engine.full_state_dict(), engine.global_steps, engine.mean_loss
            engine.close()
        return found

    plain = Plain()
    loss = loss_of(plain.model, batch(0))
    plain.step(loss)
    for found in run_ranks(2, run):
        for stage, (parameters, steps, mean_loss) in found.items():
            assert steps == 1, stage
            assert mean_loss == pytest.approx(loss.item(), rel=1e-10)
            plain.check(parameters, 1e-11, stage)


def test_a_forward_that_is_never_followed_by_a_backward():
    def act(engine):
        for step in range(3):
            loss_of(engine, batch(7))  # with gradients, for a metric say
            engine.backward(loss_of(engine, share(step, engine)))
            with torch.no_grad():
                engine.eval()
                value = loss_of(engine, batch(7)).item()
                engine.train()
            engine.step()
        assert not engine.memory_report().gathered_bytes
        return value

    plain = Plain()
    for step in range(3):
        expected = loss_of(plain.model, batch(7)).item()
        plain.step(loss_of(plain.model, batch(step)))
    for stage, value, found in on_every_stage(2, act):
        assert value == pytest.approx(expected, rel=1e-11)
        plain.check(found, 1e-11, stage)


def test_two_engines_with_a_combined_loss_train_on():
    """Also where each has its own loss, and one steps while the other accumulates."""

    def run(rank):
        found = {}
        for stage in STAGES:
            pair = [initialize(build(), config_of(stage, 2)) for _ in range(2)]
            for step in range(3):
                losses = [loss_of(e, share(step, e), which) for which, e in enumerate(pair)]
                if step == 1:
                    for engine, loss in zip(pair, losses, strict=True):
                        engine.backward(loss)
                else:
                    pair[step % 2].backward(losses[0] + 2 * losses[1])
                for engine in pair:
                    engine.step()
            found[stage] = [engine.full_state_dict() for engine in pair]
            for engine in pair:
                engine.close()
        return found

    plains = Plain(), Plain()
    for step in range(3):
        first, second = (loss_of(p.model, batch(step), w) for w, p in enumerate(plains))
        plains[0].step(first)
        plains[1].step(second * (1 if step == 1 else 2))
    for found in run_ranks(2, run):
        for stage, pair in found.items():
            for plain, parameters in zip(plains, pair, strict=True):
                plain.check(parameters, 1e-11, stage)


def test_another_engine_that_was_closed_is_in_nobodys_way():
    def run(rank):
        found = {}
        for stage in (0, 3):
            closed = initialize(build(), config_of(stage, 2))
            loss_of(closed, batch(0))
            closed.close()
            engine = initialize(build(), config_of(stage, 2))
            engine.backward(loss_of(engine, share(0, engine)))
            engine.step()
            found[stage] = engine.full_state_dict()
            engine.close()
        return found

    plain = Plain()
    plain.step(loss_of(plain.model, batch(0)))
    for found in run_ranks(2, run):
        for parameters in found.values():
            plain.check(parameters, 1e-11)


def test_loss_backward_without_the_engine_is_an_error_and_training_goes_on():
    def act(engine):
        with pytest.raises(RayLMError, match=r"engine\.backward\(loss\)"):
            loss_of(engine, share(0, engine)).backward()
        engine.backward(loss_of(engine, share(0, engine)))
        engine.step()

    plain = Plain()
    plain.step(loss_of(plain.model, batch(0)))
    for stage, _, found in on_every_stage(2, act):
        plain.check(found, 1e-11, stage)


def test_train_batch_takes_the_micro_batches_of_one_step():
    class Losing(nn.Module):
        def __init__(self):
            super().__init__()
            self.zoo = build()

        def forward(self, tokens):
            return {"loss": loss_of(self.zoo, tokens)}

    def run(rank):
        found = {}
        for stage in STAGES:
            engine = initialize(Losing(), config_of(stage, 2, micro_batches=3))
            parts = iter([t for step in range(2) for t in share(step, engine).chunk(3)])
            losses = [engine.train_batch(parts) for _ in range(2)]
            assert engine.global_steps == 2
            whole = engine.full_state_dict()
            found[stage] = {n.removeprefix("zoo."): v for n, v in whole.items()}, losses
            engine.close()
        return found

    plain, expected = Plain(), []
    for step in range(2):
        loss = loss_of(plain.model, batch(step))
        expected.append(loss.item())
        plain.step(loss)
    results = run_ranks(2, run)
    for stage in STAGES:
        losses = zip(*(found[stage][1] for found in results), strict=True)
        assert [math.fsum(pair) / 2 for pair in losses] == pytest.approx(expected, rel=1e-10)
        plain.check(results[0][stage][0], 1e-11, stage)
