"""One rank of a run: its model, optimizer and data, and the few things it can be told to do."""

from dataclasses import dataclass
from pathlib import Path

import torch

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.save import write_tensors
from raylm.core.schema import TrainConfig
from raylm.core.seeding import derive_seed
from raylm.data.loader import Loader
from raylm.data.order import shard
from raylm.models.hf_weights import save_hf_folder
from raylm.train.communicator import Communicator
from raylm.train.evaluate import Evaluation, Evaluator
from raylm.train.gradients import GradientBuckets
from raylm.train.materials import Materials
from raylm.train.memory import Memory, peak_bytes, storage_bytes
from raylm.train.optim import build_optimizer, set_learning_rate, state_tensors
from raylm.train.precision import choose_precision
from raylm.train.step import OptimizerStep, StepResult

MODEL_FILE = "model.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one optimizer step shall do; `samples` are global indices, shared by the ranks."""

    step: int
    samples: range
    lr: float


@dataclass(frozen=True, slots=True)
class StepReport:
    result: StepResult
    memory: Memory
    comm_bytes: int


class Trainer:
    def __init__(self, config: TrainConfig, materials: Materials, device: torch.device) -> None:
        self._config = config
        self._materials = materials
        self._device = device
        self.communicator = Communicator()
        self.precision = choose_precision(config.precision, device)
        self.model = materials.build_model(config.seed, device)
        for parameter in self.model.parameters():
            self.communicator.broadcast(parameter.data)
        torch.manual_seed(derive_seed(config.seed, "rank", self.communicator.rank))
        self.optimizer = build_optimizer(self.model, config.optimizer)
        self.gradients = GradientBuckets(self.model.parameters(), self.communicator)
        self._step = OptimizerStep(
            self.model,
            self.optimizer,
            self.gradients,
            self.communicator,
            self.precision,
            device,
            config.gradient_clipping,
        )
        length = config.data.sequence_length
        seed = derive_seed(config.seed, "order")
        self._loader = Loader(materials.corpus.training.open(), length, seed)
        self._evaluator = Evaluator(
            materials.corpus.heldout, length, config.evaluation.max_tokens, config.batch.micro
        )

    def step(self, plan: StepPlan) -> StepReport:
        sent_before = self.communicator.bytes_sent
        set_learning_rate(self.optimizer, plan.lr)
        mine = shard(plan.samples, self.communicator.rank, self.communicator.world_size)
        batches = self._loader.micro_batches(mine, self._config.batch.micro)
        full_tokens = len(plan.samples) * self._config.data.sequence_length
        result = self._step.run(batches, full_tokens)
        sent = self.communicator.bytes_sent - sent_before
        return StepReport(result, self.memory(), sent)

    def evaluate(self) -> Evaluation:
        return self._evaluator.run(self.model, self.communicator, self.precision, self._device)

    def memory(self) -> Memory:
        return Memory(
            param_bytes=storage_bytes(self.model.parameters()),
            grad_bytes=self.gradients.size_bytes,
            optimizer_bytes=storage_bytes(state_tensors(self.model, self.optimizer).values()),
            peak_bytes=peak_bytes(self._device),
        )

    def write(self, draft: Path) -> None:
        """This rank's part of a checkpoint; rank 0 has what all ranks hold alike."""
        if self.communicator.rank == 0:
            materials = self._materials
            state = self.model.state_dict()
            template = materials.chat_template
            save_hf_folder(draft, materials.spec, state, materials.tokenizer, template)
            write_tensors(draft / OPTIMIZER_FILE, state_tensors(self.model, self.optimizer))
        write_tensors(draft / rng_file(self.communicator.rank), self._random_states())

    def restore(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointError where the checkpoint is of another model."""
        checkpoint.restore(MODEL_FILE, dict(self.model.named_parameters()))
        checkpoint.restore(OPTIMIZER_FILE, state_tensors(self.model, self.optimizer))
        own = rng_file(self.communicator.rank)
        if checkpoint.has(own):  # a rank that joined since then keeps its fresh seed
            self._set_random_states(checkpoint.tensors(own))

    def _random_states(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def _set_random_states(self, states: dict[str, torch.Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self._device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self._device)


def rng_file(rank: int) -> str:
    return f"rng-{rank:05d}.safetensors"
