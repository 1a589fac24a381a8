"""One rank of a run: its engine and data, and the few things it can be told to do."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist

from raylm.checkpoint.load import Checkpoint
from raylm.core.errors import DivergenceError
from raylm.core.schema import TrainConfig
from raylm.core.seeding import derive_seed
from raylm.data.loader import Loader
from raylm.data.order import shard
from raylm.models.hf_weights import save_hf_description
from raylm.train.checkpointing import Extras
from raylm.train.evaluate import Evaluation, Evaluator
from raylm.train.initialize import initialize
from raylm.train.losses import next_token_loss
from raylm.train.materials import Materials
from raylm.train.memory import Memory, peak_bytes
from raylm.train.saving import Saved


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one optimizer step shall do; `samples` are global indices, shared by the ranks, but for
    those to do `without`."""

    step: int
    samples: range
    lr: float
    without: frozenset[int] = frozenset()

    def leaving_out(self, samples: frozenset[int]) -> "StepPlan":
        return replace(self, without=self.without | samples)


@dataclass(frozen=True, slots=True)
class StepResult:
    """Equal on every rank. `grad_norm` is global and from before clipping."""

    loss: float
    grad_norm: float
    tokens: int
    loss_scale: float
    skipped: bool


@dataclass(frozen=True, slots=True)
class StepReport:
    """`saved` are the checkpoints that were finished since the last report; rank 0 knows."""

    result: StepResult
    memory: Memory
    comm_bytes: int
    saved: tuple[Saved, ...] = ()


class Trainer:
    """`is_blank`: the parameters have no values before a `restore`."""

    def __init__(
        self,
        config: TrainConfig,
        materials: Materials,
        device: torch.device,
        *,
        is_blank: bool = False,
    ) -> None:
        self._config = config
        self._materials = materials
        self._device = device
        world_size = dist.get_world_size() if dist.is_initialized() else 1
        self._passes = config.passes(world_size)
        model = materials.blank_model() if is_blank else materials.outline_model(config.seed)
        self.engine = initialize(model, config, device=device, micro_batches=self._passes)
        torch.manual_seed(derive_seed(config.seed, "rank", self.engine.rank))
        length = config.data.sequence_length
        seed = derive_seed(config.seed, "order")
        self._loader = Loader(materials.corpus.training.open(), length, seed)
        self._evaluator = Evaluator(
            materials.corpus.heldout, length, config.evaluation.max_tokens, config.batch.micro
        )

    def step(self, plan: StepPlan) -> StepReport:
        """Raises DivergenceError naming the samples when too many steps in a row were skipped."""
        engine = self.engine
        sent_before, scale = engine.comm_report().bytes_sent, engine.loss_scale
        engine.set_lr(plan.lr)
        mine = shard(plan.samples, engine.rank, engine.world_size)
        for inputs, targets in self._loader.micro_batches(mine, self._passes, plan.without):
            loss_sum, tokens = next_token_loss(
                engine(inputs.to(self._device)), targets.to(self._device)
            )
            engine.backward(loss_sum / tokens.clamp(min=1), tokens=int(tokens))
            try:
                engine.step()
            except DivergenceError as error:
                first, last = plan.samples.start, plan.samples.stop - 1
                raise DivergenceError(f"{error} (samples {first} to {last})") from None
        result = StepResult(
            loss=engine.mean_loss,
            grad_norm=engine.grad_norm,
            tokens=int(engine.tokens),
            loss_scale=scale,
            skipped=engine.was_skipped,
        )
        sent = engine.comm_report().bytes_sent - sent_before
        return StepReport(result, self.memory(), sent, tuple(engine.saved()))

    def evaluate(self) -> Evaluation:
        return self._evaluator.run(self.engine, self._device)

    def memory(self) -> Memory:
        report = self.engine.memory_report()
        return Memory(
            param_bytes=report.param_bytes,
            grad_bytes=report.grad_bytes,
            optimizer_bytes=report.optimizer_bytes,
            peak_bytes=peak_bytes(self._device),
            replica_bytes=report.replica_bytes,
        )

    def save(self, root: Path, samples: int) -> None:
        """Start a checkpoint under `root`; a later report, or `finish_saving`, tells the end."""
        extras = Extras(samples, self._config.to_dict(), self._describe)
        self.engine.save_checkpoint(root, wait=False, extras=extras)

    def finish_saving(self) -> list[Saved]:
        return self.engine.finish_saving()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where the checkpoint is of another model."""
        self.engine.load_checkpoint(checkpoint.folder)

    def _describe(self, folder: Path) -> None:
        """So that the folder can be opened as a model."""
        materials = self._materials
        template = materials.chat_template
        save_hf_description(folder, materials.spec, torch.float32, materials.tokenizer, template)
