"""TrainWorker: a rank of a training run as a Ray actor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from raylm.checkpoint.load import Checkpoint
from raylm.core.errors import CheckpointError
from raylm.core.schema import TrainConfig
from raylm.parallel.amp import Precision, choose_precision
from raylm.runtime.slot import Entry, Snapshot
from raylm.runtime.transfer import Intervals
from raylm.runtime.worker import Worker
from raylm.train import snapshot
from raylm.train.evaluate import Evaluation
from raylm.train.materials import Materials, prepare
from raylm.train.plan import Plan, predict
from raylm.train.saving import Saved
from raylm.train.trainer import StepPlan, StepReport, Trainer


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run is made of, for a person to read."""

    parameters: int
    vocab_size: int
    documents: int
    tokens: int
    heldout_tokens: int
    bytes_per_token: float
    plan: Plan


class TrainWorker(Worker):
    """`prepare`, on rank 0 first so that the others find its cache; then `build`; then steps.

    One that joins later, or goes on in another group, is built when it is given its state.
    """

    settles_itself = True
    _trainer: Trainer | None = None

    def __init__(self, config: TrainConfig, checkpoint: Checkpoint | None = None) -> None:
        self._config = config
        self._checkpoint = checkpoint

    @cached_property
    def _materials(self) -> Materials:
        return prepare(self._config, self._checkpoint)

    def warm_up(self) -> None:
        self._materials.blank_model()

    def prepare(self) -> Summary:
        spec, corpus, config = self._materials.spec, self._materials.corpus, self._config
        precision = choose_precision(config.precision, config.autocast, self.device)
        outline = self._materials.outline_model(config.seed)
        return Summary(
            parameters=spec.num_parameters,
            vocab_size=spec.vocab_size,
            documents=corpus.training.documents + corpus.heldout.documents,
            tokens=corpus.training.tokens,
            heldout_tokens=corpus.heldout.tokens,
            bytes_per_token=corpus.training.text_bytes / corpus.training.tokens,
            plan=predict(outline, config, precision, self.world_size),
        )

    def build(self) -> Precision:
        self._make_trainer()
        if self._checkpoint is not None:
            self.trainer.restore(self._checkpoint)
        return self.trainer.engine.precision

    @property
    def trainer(self) -> Trainer:
        assert self._trainer is not None, "build first"
        return self._trainer

    @property
    def waited_s(self) -> float | None:
        return None if self._trainer is None else self._trainer.engine.communicator.waited_s

    def position(self) -> int:
        """Steps done."""
        return self.trainer.engine.global_steps

    def step(self, plan: StepPlan) -> StepReport:
        return self.trainer.step(plan)

    def snapshot(self) -> Snapshot:
        return snapshot.take(self.trainer.engine)

    def wanted(self, held: Mapping[str, Sequence[Entry]]) -> Intervals:
        self._former_rank = -1 if self._trainer is None else self._trainer.engine.rank
        self._make_trainer(is_blank=True)
        return snapshot.wanted(self.trainer.engine, held, self._former_rank)

    def restore(self, state: Snapshot) -> None:
        snapshot.restore(self.trainer.engine, state, self._former_rank)

    def leave(self) -> None:
        if self._trainer is not None:
            self._trainer.engine.abandon()
        super().leave()

    def evaluate(self) -> Evaluation:
        return self.trainer.evaluate()

    def save(self, root: Path, samples: int) -> str:
        """Why it cannot be saved; empty where it is under way. An error would end the group."""
        try:
            self.trainer.save(root, samples)
        except CheckpointError as error:
            return str(error)
        return ""

    def finish_saving(self) -> list[Saved]:
        return self.trainer.finish_saving()

    def _make_trainer(self, *, is_blank: bool = False) -> None:
        self._trainer = None  # its memory goes before the new one's comes
        self._trainer = Trainer(self._config, self._materials, self.device, is_blank=is_blank)
        self._trainer.engine.keeper = self
